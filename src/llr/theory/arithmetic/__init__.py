"""Exact linear algebra on floating-point numbers, by arithmetic modulo random primes."""

from llr.theory.arithmetic._exact_values import Floats, Integers, exact_array
from llr.theory.arithmetic._modular_rank import matrix_rank
from llr.theory.arithmetic._prime_field import PrimeField, Residues
from llr.theory.arithmetic._random_primes import (
    N_PRIMES,
    PRIME_BITS,
    large_prime,
    random_primes,
)
from llr.theory.arithmetic._sparse_elimination import SparseMatrix, largest_rank, sparse_rank

__all__ = [
    "N_PRIMES",
    "PRIME_BITS",
    "Floats",
    "Integers",
    "PrimeField",
    "Residues",
    "SparseMatrix",
    "exact_array",
    "large_prime",
    "largest_rank",
    "matrix_rank",
    "random_primes",
    "sparse_rank",
]
