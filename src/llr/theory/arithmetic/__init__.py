"""Exact linear algebra on floating-point numbers, by arithmetic modulo random primes."""

from llr.theory.arithmetic._exact_values import Floats, Integers, exact_array
from llr.theory.arithmetic._modular_rank import matrix_rank
from llr.theory.arithmetic._prime_field import PrimeField, Residues
from llr.theory.arithmetic._sparse_elimination import SparseMatrix, largest_rank, sparse_rank

__all__ = [
    "Floats",
    "Integers",
    "PrimeField",
    "Residues",
    "SparseMatrix",
    "exact_array",
    "largest_rank",
    "matrix_rank",
    "sparse_rank",
]
