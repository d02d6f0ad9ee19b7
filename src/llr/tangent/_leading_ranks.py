"""Ranks of the first n samples, for every n, from one triangular factor."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["leading_ranks"]


def leading_ranks(factor: Tensor, n_outputs: int, tolerance: float) -> list[int]:
    """Ranks of the first n*c columns of an upper triangular factor, for n = 1..N.

    With J^T = Q R, the first k rows of J have the singular values of R[:k, :k]. The count of
    those above a fixed tolerance never falls with k, and rises by at most c a sample (singular
    values interlace), so that most n follow from their neighbours.

    Args:
        factor: R, upper triangular or trapezoidal, (k, N * c).
        n_outputs: c.
        tolerance: absolute.

    Returns:
        N ranks.
    """
    count = factor.shape[1] // n_outputs
    ranks = {0: 0}

    def measure(n: int) -> int:
        k = n * n_outputs
        values = torch.linalg.svdvals(factor[: min(k, factor.shape[0]), :k])
        return int((values > tolerance).sum())

    def fill_in(low: int, high: int) -> None:
        rise = ranks[high] - ranks[low]
        if rise in (0, (high - low) * n_outputs):
            step = rise // (high - low)
            ranks.update({n: ranks[low] + step * (n - low) for n in range(low, high)})
        elif high - low > 1:
            middle = (low + high) // 2
            ranks[middle] = measure(middle)
            fill_in(low, middle)
            fill_in(middle, high)

    ranks[count] = measure(count)
    fill_in(0, count)
    return [ranks[n] for n in range(1, count + 1)]
