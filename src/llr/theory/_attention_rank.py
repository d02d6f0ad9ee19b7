"""Closed form of the generic rank of softmax self-attention."""

from __future__ import annotations

from llr.errors import InvalidInputError, check_positive_int
from llr.theory._closed_forms import ClosedForm

__all__ = ["attention_rank"]


def attention_rank(
    d: int, heads: int, d_k: int, d_v: int, *, rope: bool = False, bias: bool = False
) -> ClosedForm:
    r"""Model rank of multi-head softmax self-attention at generic parameters.

    The model maps tokens x_1..x_n in R^d to

        y_i = sum_h W_O^h sum_j softmax_j((W_Q^h x_i + b_Q^h) . (W_K^h x_j + b_K^h))
              (W_V^h x_j + b_V^h) + b_O,

    with queries and keys turned by their positions where ``rope`` is set: coordinates 2p - 1 and 2p
    of all positions i by the angle i omega_p, with different omega_p in (0, pi). Causal or not; on
    sequences of at least two tokens, with RoPE of at least d_k / 2 + 2.

    With q = min(d_k, d), p = min(d_v, d) the rank is, per head,

        2 d q - q^2 + 2 d p - p^2              without biases
        (2 d + 1) q - q^2 + 2 d p - p^2        with biases, and d more in all
        (2 d - 1) d_k + 2 d p - p^2            with RoPE
        (2 d + 1) d_k + 2 d p - p^2            with RoPE and biases, and d more in all.

    Without RoPE the key biases change nothing, all d_k of each head: they add the same number to
    every logit of a query. The value biases move the output by a constant, as the output bias does.

    Args:
        d: width of the tokens.
        heads: number of heads.
        d_k: width of a head's queries and keys; even with RoPE.
        d_v: width of a head's values.
        rope: whether queries and keys are turned by rotary position embeddings.
        bias: whether queries, keys, values and outputs have biases.

    Returns:
        The rank, its formula and its theorem.

    Raises:
        InvalidInputError: if a size is not a positive integer, or ``d_k`` odd with RoPE.

    References:
        docs/theory/attention, with proof.

    Example:
        >>> attention_rank(4, 2, 2, 2).value  # nn.MultiheadAttention(4, 2, bias=False)
        48
        >>> 4 * 4 * 4 - attention_rank(4, 2, 2, 2).value  # parameters that change nothing
        16
    """
    for name, value in (("d", d), ("heads", heads), ("d_k", d_k), ("d_v", d_v)):
        check_positive_int(name, value)
    if rope and d_k % 2:
        raise InvalidInputError(
            f"d_k must be even with rope=True, which turns pairs of coordinates, got {d_k}."
        )
    q, p = min(d_k, d), min(d_v, d)
    values = 2 * d * p - p * p
    if rope:
        scores = (2 * d + (1 if bias else -1)) * d_k
        text = f"(2 d {'+' if bias else '-'} 1) d_k"
    else:
        scores = (2 * d + bias) * q - q * q
        text = f"{'(2 d + 1)' if bias else '2 d'} q - q^2"
    total = heads * (scores + values) + d * bias
    formula = f"heads ({text} + 2 d p - p^2){' + d' if bias else ''}"
    return ClosedForm(total, formula, "generic rank of attention (docs/theory/attention)")
