r"""Dimension of the fibres of matrix products: all (W_1, .., W_L) with W_L .. W_1 = A.

The set of factors depends on A only through its rank rho, up to invertible changes of the outer
coordinates. Split it by a = rank W_L and b = rank X, X = W_(L-1) .. W_1. Then, with c x d the shape
of A and m the width between W_L and X:

* W_L has rank a and an image that contains that of A: the image is a point of a Grassmannian of
  dimension (a - rho) (c - a), and W_L with that image has a m more dimensions;
* X solves W_L X = A: it is fixed modulo the kernel of W_L, of dimension m - a. Its part in the
  kernel is free on a complement of the kernel of A ((m - a) rho dimensions) and has rank b - rho on
  the kernel of A, of dimension d - rho: (b - rho) (m - a + d - b) more;
* the factors of X are the fibre of L - 1 matrices over a matrix of rank b.

The largest sum is the dimension.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llr.theory.arithmetic import Integers

__all__ = ["fibre_dimension"]


def fibre_dimension(sizes: Sequence[int], rank: int) -> int:
    """Dimension of the set of W_1 (m_1, m_0), .., W_L (m_L, m_(L-1)) with product of a given rank.

    Args:
        sizes: m_0, .., m_L.
        rank: of the product, at most the least of the sizes.

    Returns:
        The dimension.
    """
    most = min(sizes[:2])
    table = np.zeros(most + 1, dtype=np.int64)  # by the rank of the product of the first factors
    for l in range(2, len(sizes)):
        most = min(most, sizes[l])
        table = np.array(
            [_over(table, sizes[0], sizes[l - 1], sizes[l], r) for r in range(most + 1)]
        )
    return int(table[rank])


def _over(table: Integers, d: int, m: int, c: int, rho: int) -> int:
    """The best split for a product of rank rho, given the dimensions for X by its rank b.

    The sum is concave in a, with its vertex at (c + m + rho - b) / 2.
    """
    b = np.arange(rho, min(len(table) - 1, m, d) + 1)
    most = np.minimum(min(m, c), m - (b - rho))
    a = np.clip((c + m + rho - b) // 2, rho, most)
    last = (a - rho) * (c - a) + a * m
    inner = (m - a) * rho + (b - rho) * (m - a + d - b)
    return int((last + inner + table[b])[most >= rho].max())
