"""The model rank at a parameter point, from singular values of the tangent matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from llr.seeds import generator
from llr.tangent._as_function import as_function
from llr.tangent._gaussian_inputs import gaussian_like, input_shape
from llr.tangent._growing_samples import first_count, rank_on_growing_samples
from llr.tangent._measure_rank import measure_rank
from llr.tangent._model_function import Model, ModelFunction
from llr.tangent._rank_method import Method
from llr.tangent._rank_options import RankOptions
from llr.tangent._rank_result import RankResult
from llr.tangent._samples import concatenate, sample_count
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["model_rank"]

PROBE_ROWS = 16  # further rows that test whether more samples could raise the rank


def model_rank(
    model: Model,
    x: object = None,
    *,
    params: Mapping[str, Tensor] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    gap: float | None = None,
    param_error: float | None = None,
    method: Method = "auto",
    max_memory: float | None = None,
    chunk_size: int | None = None,
    seed: int = 0,
) -> RankResult:
    r"""The model rank at a parameter point, or the empirical rank on samples.

    .. math::
        r(\theta) = \dim \operatorname{span}\{\partial f(\cdot; \theta) / \partial \theta_q :
        q = 1..M\}, \qquad r_X(\theta) = \operatorname{rank} J(X, \theta).

    Singular values are those of J in float64, never of J J^T alone. The default tolerance is that
    of ``torch.linalg.matrix_rank``. Among the values above it, the rank is put at the widest gap
    (or the first of at least the widest to the power 0.6), and the verdict is ``"ambiguous"``
    unless that gap is clear, no other is, and nothing between it and the tolerance is left out. A
    numerical rank is a lower bound: directions whose singular value is below the rounding of the
    largest are not seen.

    Without x, networks with kinks (ReLU and its like, max pooling) need care: standard normal
    inputs may never reach some of their linear pieces, and then the rank is too low, whatever the
    verdict. :func:`llr.formal_rank` (two layers) and :func:`llr.certify_rank` settle it.

    Args:
        model: an ``nn.Module``, or a function ``(params, x) -> y`` of a batch.
        x: n samples along the first axis: a tensor, a dictionary or a tuple of tensors. None:
            standard normal inputs of the model's input shape, doubled until the rank no longer
            grows.
        params: parameters by name, in place of the module's own; needed for a function.
        atol: absolute tolerance; the rank is then what lies above it.
        rtol: tolerance in units of the largest singular value; likewise.
        gap: least ratio of neighbouring singular values that counts as clear; None: 10^4, and
            10 above the noise of ``param_error``.
        param_error: how far each parameter may be off, root mean square: the singular values that
            such an error explains are not counted. 0: the parameters are exact, so count what
            lies above rounding.
        method: ``"dense"`` (J and its singular values), ``"chunked"`` (J J^T layer by layer, and
            products with J for what it cannot tell; QR by rows where J is tall), ``"sketched"``
            (J times random vectors, for a rank far below the number of rows), or ``"auto"``.
        max_memory: bytes the computation may use, about; None: half of what is free.
        chunk_size: rows or vectors worked on at once; None: by memory.
        seed: of the inputs, probes and noise.

    Returns:
        The rank, the singular values, and how far to trust the integer.

    Raises:
        InvalidInputError: if an argument is wrong, the input shape is not known, or the memory
            does not suffice.
        UnsupportedModuleError: if f(x) is random or depends on the other samples of a batch.

    References:
        Zhang et al., JMLR 26(69), 2025, Definitions 4 and 5.

    Example:
        >>> import llr
        >>> result = model_rank(llr.PaperTeacherMLP())
        >>> result.rank, result.verdict
        (18, 'clear')
    """
    options = RankOptions(atol, rtol, gap, param_error, method, max_memory, seed)
    if x is None:
        return _rank_on_normal_inputs(as_function(model, params), options, chunk_size)
    operator = TangentOperator(model, x, params=params, chunk_size=chunk_size)
    result = measure_rank(operator, options)
    return replace(result, saturated=_is_saturated(operator, result, options))


def _is_saturated(operator: TangentOperator, result: RankResult, options: RankOptions) -> bool:
    """Whether further samples, drawn like x, leave the rank as it is."""
    if result.saturated or result.rank == result.n_rows:
        return result.saturated
    draw = gaussian_like(operator.samples, generator(options.seed, "probe", "more"))
    if draw is None:  # inputs that cannot be drawn: the rank has stopped short of the rows
        return True
    extra = draw(math.ceil(PROBE_ROWS / operator.n_outputs))
    larger = operator.with_samples(concatenate(operator.samples, extra))
    fixed = replace(options, atol=result.tolerance, rtol=0.0, param_error=None)
    return measure_rank(larger, fixed).rank == result.rank


def _rank_on_normal_inputs(
    function: ModelFunction, options: RankOptions, chunk_size: int | None
) -> RankResult:
    """The rank on standard normal inputs, as many as it takes."""
    shape = input_shape(function)
    source = generator(options.seed, "probe", "inputs")

    def draw(count: int) -> Tensor:
        normal = torch.randn(count, *shape, generator=source, dtype=torch.float64)
        return normal.to(function.device)

    two = draw(2)
    operator = TangentOperator(function, two, chunk_size=chunk_size)
    first = torch.cat([two, draw(first_count(operator.n_outputs) - 2)])
    grown = rank_on_growing_samples(operator, first, draw, options)
    result = grown.result
    if result.saturated:
        return result
    note = (
        f"The rank still grew at {sample_count(grown.drawn)} samples, and more do not fit "
        f"max_memory: it is at least {result.rank}."
    )
    return replace(result, verdict="ambiguous", message=f"{result.message} {note}".strip())
