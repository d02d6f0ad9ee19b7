"""The tangent matrix, dense."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from llr._types import TangentMatrix
from llr.tangent._model_function import Model
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["tangent_matrix"]


def tangent_matrix(
    model: Model,
    x: object,
    *,
    params: Mapping[str, Tensor] | None = None,
    chunk_size: int | None = None,
) -> TangentMatrix:
    r"""The empirical tangent matrix J of a model on samples.

    .. math::
        J_{(i, o), q} = \frac{\partial f_o(x_i; \theta)}{\partial \theta_q},
        \quad i = 1..n,\ o = 1..c,\ q = 1..M,

    the transpose of the papers' gradient matrix. Float64, whatever the model's dtype: parameters,
    buffers and samples are copied to float64 and the model itself is never changed.

    Args:
        model: an ``nn.Module``, or a function ``(params, x) -> y`` of a batch.
        x: n samples along the first axis: a tensor, a dictionary of tensors (given to ``forward``
            by keyword where the keys are its argument names) or a tuple of tensors (by position).
        params: parameters by name, in place of the module's own; needed for a function.
        chunk_size: rows worked on at once, as in ``torch.func.jacrev``; None: by memory.

    Returns:
        J, shape (n * c, M), float64: rows ordered by sample, then output; columns are the
        trainable parameters in ``named_parameters`` order, each tensor flattened.

    Raises:
        InvalidInputError: if parameters or samples do not fit the model.
        UnsupportedModuleError: if f(x) is random or depends on the other samples of a batch.

    References:
        Zhang et al., JMLR 26(69), 2025, Definition 5.

    Example:
        >>> import torch, llr
        >>> model = llr.ToyNonlinear()
        >>> _ = model.theta.data.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
        >>> tangent_matrix(model, torch.tensor([[5.0, 7.0]]))
        tensor([[ 1.,  5., 28., 21.]], dtype=torch.float64)
    """
    return TangentOperator(model, x, params=params, chunk_size=chunk_size).to_dense()
