"""Singular values of J in three ways: dense, chunked, sketched."""

from __future__ import annotations

from dataclasses import replace

import torch

from llr.tangent._gram import row_gram
from llr.tangent._rank_method import FIRST_PROBES, bytes_needed, pulls_back
from llr.tangent._refine import Gram, check_range, is_doubtful, refine
from llr.tangent._singular_values import (
    Spectrum,
    Used,
    accuracy_wanted,
    singular_value_decomposition,
)
from llr.tangent._sketch import sketched_spectrum
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["spectrum"]


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
    return sketched_spectrum(operator, budget, generator)


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
    if low and pulls_back(columns, rows - doubtful + FIRST_PROBES, budget):
        known = gram.vectors[:, : rows - doubtful].clone()
        del gram
        return replace(sketched_spectrum(operator, budget, generator, known), method="chunked")
    if doubtful > rows // 8 and bytes_needed(rows, columns)["dense"] <= budget:
        return replace(_dense(operator, vectors), method="chunked")
    if low:
        del gram
        return replace(sketched_spectrum(operator, budget, generator), method="chunked")
    values, basis = refine(
        operator,
        gram,
        target=accuracy_wanted(gram.values.sqrt(), operator.shape),
        budget=budget // 4,
    )
    return Spectrum(values, basis, "left", "chunked")
