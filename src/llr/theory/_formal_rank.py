"""Model ranks by linear algebra on the parameters: no tangent matrix, no tolerance."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from llr.errors import UnsupportedModuleError
from llr.theory._explain_rank import explain_rank

__all__ = ["formal_rank"]


def formal_rank(
    model: nn.Module, *, params: Mapping[str, Tensor] | None = None, seed: int = 0
) -> int:
    r"""Exact model rank at a parameter point, by linear algebra alone.

    The model rank r(theta) is the dimension of the span of the tangent functions
    d f(.; theta) / d theta_i, i = 1..M. In two-layer networks the tangent functions are known
    combinations of linearly independent functions, for every common activation, and the rank is
    that of the matrix of coefficients, at every point, degenerate ones too. Parameters are taken
    at their exact binary values, so units are equal when they are, and differ when their last bit
    does.

    In deep tanh networks the products of the activations' derivatives along paths are independent
    too (the deep tanh theorem: proved in docs/theory, not peer reviewed), and the rank follows from
    the ranks of backpropagated vectors, layer by layer.

    That rank is computed modulo two random 61-bit primes. It is never too large. It is certain
    where every block of the matrix has full rank; elsewhere it is too small with a probability
    below 2^-60 over the primes (for ranks up to 250,000).

    Args:
        model: a two-layer network with an activation of ``llr.models.ACTIVATIONS`` (fully connected
            or convolutional, with or without weight sharing, 1-d or 2-d, any biases, tied
            parameters, several outputs), a model of ``llr.models`` or ``nn.Sequential`` of
            Linear or Conv1d, Conv2d and Flatten; a fully connected tanh or sigmoid network of any
            depth (``MLP`` or ``nn.Sequential``; any biases, layers may be tied), one of any depth
            with the activation square or cube and up to 4,000 parameters, a linear
            network of any depth, a matrix factorisation, a diagonal network, or one of the toys.
            Parameters with ``requires_grad=False`` are constants.
        params: parameters by name that replace the model's own.
        seed: of the primes; the same seed gives the same primes.

    Returns:
        The model rank.

    Raises:
        UnsupportedModuleError: if the model belongs to no such family, or the rank rests on a
            conjecture or a stated property; :func:`explain_rank` then says on which.
        InvalidInputError: if a parameter is not finite, or a name or shape in ``params`` is wrong.

    References:
        Zhang et al., JMLR 26(69), 2025, Def. 4 and Cor. 7; Fukumizu, Neural Networks 9(5), 1996.

    Example:
        >>> from llr.models import PaperTeacherMLP
        >>> formal_rank(PaperTeacherMLP(hidden_bias=True))
        21
    """
    explained = explain_rank(model, params=params, seed=seed)
    if explained.assumes:
        raise UnsupportedModuleError(
            "formal_rank must not rest on assumptions, got a rank that rests on: "
            f"{'; '.join(explained.assumes)}. Use llr.theory.explain_rank, whose result states "
            "them in .assumes, or llr.model_rank, which measures."
        )
    return explained.rank
