"""Exact linear algebra on floating-point numbers, by arithmetic modulo a prime."""

from llr.theory.arithmetic._modular_rank import (
    Floats,
    Integers,
    Residues,
    SparseMatrix,
    exact_array,
    matrix_rank,
    multiply,
    residues,
    sparse_rank,
)

__all__ = [
    "Floats",
    "Integers",
    "Residues",
    "SparseMatrix",
    "exact_array",
    "matrix_rank",
    "multiply",
    "residues",
    "sparse_rank",
]
