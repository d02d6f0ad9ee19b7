"""Singular values of J from its products with random vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from llr.errors import InvalidInputError
from llr.tangent._memory_budget import FLOAT64_BYTES
from llr.tangent._rank_method import FIRST_PROBES, pulls_back
from llr.tangent._refine import EPS, Gram, check_range, gram_product, refine
from llr.tangent._singular_values import Spectrum, accuracy_wanted, singular_value_decomposition
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["sketched_spectrum"]

EXTRA_VECTORS = 8  # of the sketch's noise, kept so that the first dropped value is seen
FULL_SHARE = 0.75  # probes are doubled until the rank is below this share of them


def sketched_spectrum(
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
    if pulls_back(operator.shape[1], basis.shape[1], budget):
        pulled = torch.cat([pulled, operator.T @ found], dim=1)
        values, turn = singular_value_decomposition(pulled, "right")
        assert turn is not None
        return Spectrum(values, basis @ turn, "left", "sketched")
    matrix = basis.T @ gram_product(operator, basis, budget // 4)
    check_range(operator, matrix)
    gram = Gram(matrix, basis)
    target = accuracy_wanted(gram.values.clamp(min=0).sqrt(), operator.shape)
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
                f"the rank is above {least}, and {wanted} random probes of "
                f"{rows} rows need more than max_memory = {budget:.2g} bytes. Use "
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
