"""Tangent functions that samples cannot see, as directions in parameter space."""

from __future__ import annotations

import torch
from torch import Tensor

from llr.tangent._singular_values import Spectrum
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["unseen_directions"]


def unseen_directions(
    operator: TangentOperator,
    found: Spectrum,
    *,
    rank: int,
    seen: TangentOperator,
    rank_seen: int,
) -> Tensor:
    """Directions v with J_X v = 0 in the row space of J, where J_X are the first rows of J.

    With J = U S V^T cut off at the rank, J_X = U_X S V^T. The null space Z of U_X S gives V Z,
    and V = J^T U S^{-1}, so that only as many products with J are needed as there are directions.

    Args:
        operator: J, on the samples X and more.
        found: its singular values and vectors.
        rank: r, rank of J.
        seen: J_X.
        rank_seen: rank of J_X.

    Returns:
        Orthonormal rows, (r - rank_seen, M).
    """
    assert found.basis is not None
    basis, sigma = found.basis[:, :rank], found.values[:rank]
    image = basis[: seen.shape[0]] * sigma if found.side == "left" else seen @ basis
    null = torch.linalg.svd(image, full_matrices=True).Vh[rank_seen:].T
    if found.side == "right":
        return (basis @ null).T
    return torch.linalg.qr(operator.T @ (basis @ (null / sigma[:, None]))).Q.T
