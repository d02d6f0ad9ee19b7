"""Singular values of a matrix that is in memory, and the form in which those of J are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from llr.errors import InvalidInputError
from llr.tangent._refine import EPS

__all__ = ["Spectrum", "Used", "accuracy_wanted", "singular_value_decomposition"]

Used = Literal["dense", "chunked", "sketched"]


@dataclass(frozen=True)
class Spectrum:
    """Singular values of J, descending, and how they were found.

    Attributes:
        values: all min(n c, M) of them; sketched: the largest ones, those above rounding and a
            few more.
        basis: their singular vectors as columns, where asked for.
        side: whether ``basis`` holds left (rows of J) or right (parameters) singular vectors.
        method: how they were found.
    """

    values: Tensor
    basis: Tensor | None
    side: Literal["left", "right"]
    method: Used


def singular_value_decomposition(matrix: Tensor, side: str | None) -> tuple[Tensor, Tensor | None]:
    """Singular values, and left or right singular vectors as columns.

    A triangular factor first: a thin singular value decomposition is slow on a GPU, and the
    default driver there is less accurate than ``gesvd``.
    """
    if not bool(matrix.isfinite().all()):
        raise InvalidInputError(
            "the tangent matrix must be finite, got NaN or infinity: the outputs overflow or "
            "are not differentiable at these samples. Try smaller inputs or parameters."
        )
    rows, columns = matrix.shape
    driver = "gesvd" if matrix.is_cuda else None
    frame = None
    if rows >= 2 * columns:
        if side == "left":
            frame, matrix = torch.linalg.qr(matrix)
        else:
            matrix = torch.linalg.qr(matrix, mode="r").R
    elif columns >= 2 * rows:
        if side == "right":
            frame, factor = torch.linalg.qr(matrix.T)
            matrix = factor.T
        else:
            matrix = torch.linalg.qr(matrix.T, mode="r").R.T
    if side is None:
        return torch.linalg.svdvals(matrix, driver=driver), None
    left, values, right = torch.linalg.svd(matrix, full_matrices=False, driver=driver)
    basis = left if side == "left" else right.T
    return values, basis if frame is None else frame @ basis


def accuracy_wanted(values: Tensor, shape: tuple[int, int]) -> float:
    """Accuracy for small singular values: a tenth of the textbook tolerance."""
    return 0.1 * max(shape) * EPS * float(values[0])
