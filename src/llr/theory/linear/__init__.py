"""Models that are polynomial in x: linear networks, factorisations, diagonal networks, toys."""

from llr.theory.linear._linear_closed_forms import (
    diagonal_network_size,
    linear_network_size,
    linear_size,
    matrix_factorization_rank,
    matrix_factorization_size,
    toy_linear_size,
    toy_nonlinear_size,
)
from llr.theory.linear._linear_rank import (
    factorization_rank,
    linear_layers,
    linear_network_rank,
    vector_model_rank,
)
from llr.theory.linear._linear_targets import (
    AffineMap,
    LinearTarget,
    VectorModel,
    affine_target,
    coefficient_target,
    matrix_target,
)

__all__ = [
    "AffineMap",
    "LinearTarget",
    "VectorModel",
    "affine_target",
    "coefficient_target",
    "diagonal_network_size",
    "factorization_rank",
    "linear_layers",
    "linear_network_rank",
    "linear_network_size",
    "linear_size",
    "matrix_factorization_rank",
    "matrix_factorization_size",
    "matrix_target",
    "toy_linear_size",
    "toy_nonlinear_size",
    "vector_model_rank",
]
