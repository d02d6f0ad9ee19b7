"""Learning coefficients by other means: published formulas, and the volume of small losses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
from torch import Tensor


def reduced_rank_regression(inputs: int, outputs: int, hidden: int, rank: int):
    """Coefficient and multiplicity for two layers, as Aoyagi and Watanabe (2005) print them."""
    m, n, h, r = inputs, outputs, hidden, rank
    if n + r <= m + h and m + r <= n + h and h + r <= m + n:
        eight = -((h + r) ** 2) - m * m - n * n + 2 * (h + r) * (m + n) + 2 * m * n
        odd = (m + h + n + r) % 2
        return Fraction(eight + odd, 8), 1 + odd
    if m + h < n + r:
        return Fraction(h * m - h * r + n * r, 2), 1
    if n + h < m + r:
        return Fraction(h * n - h * r + m * r, 2), 1
    return Fraction(m * n, 2), 1


def by_search_for_the_layers(sizes: Sequence[int], rank: int):
    """Aoyagi's formula for every set of layers that meets its conditions: all values found."""
    deltas = [m - rank for m in sizes]
    found = set()
    for count in range(2, len(sizes) + 1):
        for chosen in itertools.combinations(range(len(sizes)), count):
            inside = [deltas[s] for s in chosen]
            outside = [deltas[s] for s in range(len(sizes)) if s not in chosen]
            l, total = count - 1, sum(inside)
            fits = total >= l * max(inside) and (
                not outside or (max(inside) < min(outside) and total < l * min(outside))
            )
            if fits:
                ceiling = math.ceil(Fraction(total, l))
                a = total - (ceiling - 1) * l
                pairs = sum(x * y for x, y in itertools.combinations(inside, 2))
                value = (
                    Fraction(rank * (sizes[0] + sizes[-1]) - rank**2, 2)
                    + Fraction(a * (l - a), 4 * l)
                    - Fraction(l * (l - 1), 4) * Fraction(total, l) ** 2
                    + Fraction(pairs, 2)
                )
                found.add((value, a * (l - a) + 1))
    return found


def volume_exponent(
    loss: Callable[[Tensor], Tensor],
    center: Tensor,
    *,
    multiplicity: int,
    low: float = 1e-5,
    high: float = 1e-3,
    n: int = 2_000_000,
    seed: int = 0,
) -> float:
    """The exponent lambda of P(loss < e) ~ e^lambda (-log e)^(multiplicity - 1) in a unit cube.

    Args:
        loss: of parameters (n, M).
        center: (M,), the middle of the cube.
        multiplicity: of the logarithm.
        low: the smaller of two levels e.
        high: the larger.
        n: points drawn; the relative error of a share p is 1 / sqrt(n p).
        seed: of the points.
    """
    stream = torch.Generator().manual_seed(seed)
    offsets = torch.rand(n, len(center), generator=stream, dtype=torch.float64) - 0.5
    values = loss(center + offsets)
    shares = [float((values < level).double().mean()) for level in (low, high)]
    logs = [math.log(p) for p in shares]
    powers = [(multiplicity - 1) * math.log(-math.log(level)) for level in (low, high)]
    return (logs[0] - logs[1] - (powers[0] - powers[1])) / math.log(low / high)
