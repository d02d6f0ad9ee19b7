r"""The learning coefficient of deep linear networks, by Aoyagi's formula.

Let W_L .. W_1 have rank rho at the target and let Delta_s = m_s - rho for the sizes m_0, .., m_L.
There is a set S of l + 1 of the layers s with

    max Delta_S < min Delta_rest,  sum_S Delta >= l max Delta_S,  sum_S Delta < l min Delta_rest.

With M = ceil(sum_S Delta / l) and a = sum_S Delta - (M - 1) l, for l >= 1,

    lambda = [rho (m_0 + m_L) - rho^2] / 2 + a (l - a) / (4 l)
             - l (l - 1) / 4 (sum_S Delta / l)^2 + 1/2 sum_(i<j in S) Delta_i Delta_j,

and the multiplicity is a (l - a) + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from llr.errors import InvalidInputError

__all__ = ["deep_linear_coefficient"]


def deep_linear_coefficient(sizes: Sequence[int], rank: int) -> tuple[Fraction, int]:
    """Learning coefficient and multiplicity of a deep linear network without biases.

    Args:
        sizes: m_0, .., m_L: inputs, widths, outputs; L >= 1.
        rank: of the target.

    Returns:
        lambda and its multiplicity.

    Raises:
        InvalidInputError: if the rank is larger than a size.

    References:
        Aoyagi, "Consideration on the learning efficiency of multiple-layered neural networks with
        linear units", Neural Networks 172, 2024; for L = 2 Aoyagi and Watanabe, Neural Networks
        18(7), 2005.
    """
    if not 0 <= rank <= min(sizes):
        raise InvalidInputError(
            f"rank must be from 0 to {min(sizes)}, the least of the sizes, got {rank}."
        )
    chosen = _layers([m - rank for m in sizes])
    l, total = len(chosen) - 1, sum(chosen)
    fixed = Fraction(rank * (sizes[0] + sizes[-1]) - rank**2, 2)
    pairs = Fraction(total**2 - sum(delta**2 for delta in chosen), 4)
    a = total - (-(-total // l) - 1) * l
    curved = Fraction(a * (l - a), 4 * l) - Fraction(l - 1, 4 * l) * total**2
    return fixed + curved + pairs, a * (l - a) + 1


def _layers(deltas: Sequence[int]) -> list[int]:
    """The Delta of the layers in S: the least of them, l + 1 >= 2 in number.

    Adding the layers in ascending order, sum_S Delta - l min Delta_rest falls once the next Delta
    exceeds the mean: S ends where it first becomes negative, or with the last layer.
    """
    ordered = sorted(deltas)
    count = 2
    while count < len(ordered) and sum(ordered[:count]) >= (count - 1) * ordered[count]:
        count += 1
    return ordered[:count]
