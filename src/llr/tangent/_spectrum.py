"""Singular values of J in three ways: dense, chunked, sketched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from llr.errors import InvalidInputError, check_choice
from llr.tangent._gram import row_gram
from llr.tangent._memory_budget import FLOAT64_BYTES
from llr.tangent._refine import EPS, Gram, check_range, gram_product, is_doubtful, refine
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["Method", "Spectrum", "choose_method", "fits", "spectrum"]

Method = Literal["auto", "dense", "chunked", "sketched"]
Used = Literal["dense", "chunked", "sketched"]

DENSE_ENTRIES = 2**22  # below, a dense J is the quickest as well as the simplest
FIRST_PROBES = 32
EXTRA_VECTORS = 8  # of the sketch's noise, kept so that the first dropped value is seen
FULL_SHARE = 0.75  # probes are doubled until the rank is below this share of them


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


def _bytes_needed(rows: int, columns: int) -> dict[Used, int]:
    """Memory that each method takes, roughly; sketched: at the least."""
    small = min(rows, columns)
    return {
        "dense": 3 * FLOAT64_BYTES * rows * columns,
        "chunked": 6 * FLOAT64_BYTES * small**2,
        "sketched": 4 * FLOAT64_BYTES * (FIRST_PROBES * rows + columns),
    }


def fits(rows: int, columns: int, budget: int) -> bool:
    """Whether some method can find a full rank of J of this shape within the budget."""
    needed = _bytes_needed(rows, columns)
    return min(needed["dense"], needed["chunked"]) <= budget


def choose_method(method: str, rows: int, columns: int, budget: int) -> Used:
    """The method to use for J of this shape within a memory budget in bytes.

    Raises:
        InvalidInputError: if the method is unknown, or does not fit the memory.
    """
    check_choice("method", method, get_args(Method))
    needed = _bytes_needed(rows, columns)
    if method == "auto":
        if rows * columns <= DENSE_ENTRIES and needed["dense"] <= budget:
            return "dense"
        return "chunked" if needed["chunked"] <= budget else "sketched"
    used = check_choice("method", method, get_args(Used))
    if used != "sketched" and needed[used] > budget:
        raise InvalidInputError(
            f"method={used!r} needs about {needed[used]:.2g} bytes for a tangent matrix of "
            f"{rows} x {columns}, which is more than max_memory = {budget:.2g}. Use "
            "method='auto', fewer samples, or a larger max_memory."
        )
    return used


def spectrum(
    operator: TangentOperator,
    method: Used,
    *,
    budget: int,
    generator: torch.Generator,
    vectors: bool = False,
) -> Spectrum:
    """Singular values of J by one method, with singular vectors where asked for."""
    if method == "dense":
        return _dense(operator, vectors)
    if method == "chunked":
        return _chunked(operator, budget, generator, vectors)
    return _sketched(operator, budget, generator)


def _target(values: Tensor, shape: tuple[int, int]) -> float:
    """Accuracy for small singular values: a tenth of the textbook tolerance."""
    return 0.1 * max(shape) * EPS * float(values[0])


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


def _dense(operator: TangentOperator, vectors: bool) -> Spectrum:
    """The singular value decomposition of J."""
    values, basis = singular_value_decomposition(operator.to_dense(), "left" if vectors else None)
    return Spectrum(values, basis, "left", "dense")


def _chunked(
    operator: TangentOperator, budget: int, generator: torch.Generator, vectors: bool
) -> Spectrum:
    """Wide J: the Gram matrix, and products with J for what it cannot tell. Tall J: QR by rows."""
    rows, columns = operator.shape
    if rows > columns:
        factor = torch.empty(0, columns, dtype=operator.dtype, device=operator.device)
        for block in operator.row_blocks():
            factor = torch.linalg.qr(torch.cat([factor, block]), mode="r").R
        values, basis = singular_value_decomposition(factor, "right" if vectors else None)
        return Spectrum(values, basis, "right", "chunked")
    matrix = row_gram(operator, budget // 2, generator=generator)
    check_range(operator, matrix)
    if not vectors:
        values = torch.linalg.eigvalsh(matrix).flip(0)
        if not bool(is_doubtful(values, rows).any()):
            return Spectrum(values.sqrt(), None, "left", "chunked")
    gram = Gram(matrix)
    del matrix
    doubtful = int(is_doubtful(gram.values, rows).sum())
    low = doubtful > 2 * (rows - doubtful)
    if low and _pulls_back(columns, rows - doubtful + FIRST_PROBES, budget):
        known = gram.vectors[:, : rows - doubtful].clone()
        del gram
        return replace(_sketched(operator, budget, generator, known), method="chunked")
    if doubtful > rows // 8 and _bytes_needed(rows, columns)["dense"] <= budget:
        return replace(_dense(operator, vectors), method="chunked")
    if low:
        del gram
        return replace(_sketched(operator, budget, generator), method="chunked")
    values, basis = refine(
        operator, gram, target=_target(gram.values.sqrt(), operator.shape), budget=budget // 4
    )
    return Spectrum(values, basis, "left", "chunked")


def _pulls_back(columns: int, vectors: int, budget: int) -> bool:
    """Whether this many products with J^T fit into the budget together."""
    return 4 * FLOAT64_BYTES * columns * vectors <= budget


def _sketched(
    operator: TangentOperator,
    budget: int,
    generator: torch.Generator,
    known: Tensor | None = None,
) -> Spectrum:
    """J on the range of J times random vectors, as many as it takes beyond ``known`` columns.

    The columns are orthonormal, close to the range, and few enough to be pulled back together.
    """
    if known is None:
        known = torch.empty(operator.shape[0], 0, dtype=operator.dtype, device=operator.device)
    pulled = operator.T @ known
    found = _range_basis(operator, budget, generator, known, pulled)
    basis = torch.cat([known, found], dim=1)
    if _pulls_back(operator.shape[1], basis.shape[1], budget):
        pulled = torch.cat([pulled, operator.T @ found], dim=1)
        values, turn = singular_value_decomposition(pulled, "right")
        assert turn is not None
        return Spectrum(values, basis @ turn, "left", "sketched")
    matrix = basis.T @ gram_product(operator, basis, budget // 4)
    check_range(operator, matrix)
    gram = Gram(matrix, basis)
    target = _target(gram.values.clamp(min=0).sqrt(), operator.shape)
    values, basis = refine(operator, gram, target=target, budget=budget // 4)
    return Spectrum(values, basis, "left", "sketched")


def _range_basis(
    operator: TangentOperator,
    budget: int,
    generator: torch.Generator,
    known: Tensor,
    pulled: Tensor,
) -> Tensor:
    """Orthonormal columns that with the known ones span the range of J up to rounding.

    Gaussian probes are doubled until the numerical rank of J times the probes is well below their
    number; then the range is complete with probability one, up to rounding. The probes leave out
    what the known columns U see: the row space of ``pulled``, J^T U.
    """
    rows, columns = operator.shape
    seen, factor = torch.linalg.qr(pulled)
    scale = float(torch.linalg.matrix_norm(factor, 2)) if factor.numel() else 0.0
    limit = min(rows, columns)
    batch = max(1, min(FIRST_PROBES, budget // (8 * FLOAT64_BYTES * columns)))
    images: list[Tensor] = []
    probes, wanted = 0, min(FIRST_PROBES, limit)
    while True:
        if 6 * FLOAT64_BYTES * rows * wanted > budget:
            least = known.shape[1] + int(FULL_SHARE * probes)
            raise InvalidInputError(
                f"the rank is above {least}, and going on with {wanted} random "
                f"probes of {rows} rows needs more than max_memory = {budget:.2g} bytes. Use "
                "fewer samples or a larger max_memory."
            )
        while probes < wanted:
            size = min(batch, wanted - probes)
            omega = torch.randn(columns, size, generator=generator, dtype=operator.dtype)
            omega = omega.to(operator.device)
            images.append(operator @ (omega - seen @ (seen.T @ omega)))
            probes += size
        values, basis = singular_value_decomposition(torch.cat(images, dim=1), "left")
        assert basis is not None
        floor = max(rows, probes) * EPS * max(scale, float(values[0]))
        rank = int((values > floor).sum())
        if rank <= FULL_SHARE * probes or probes == limit:
            together = torch.cat([known, basis[:, : rank + EXTRA_VECTORS]], dim=1)
            return torch.linalg.qr(together).Q[:, known.shape[1] :]
        wanted = min(2 * probes, limit)
