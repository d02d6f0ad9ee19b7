"""Exact integers from the theory: ranks, optimistic sample sizes, embeddings. No samples."""

from llr.theory._closed_forms import (
    ClosedForm,
    deep_network_bound,
    fully_connected_rank,
    fully_connected_size,
    relu_network_bound,
    shared_convolution_size,
    unshared_convolution_size,
)
from llr.theory._closed_forms_linear import (
    diagonal_network_size,
    linear_network_size,
    linear_size,
    matrix_factorization_rank,
    matrix_factorization_size,
    toy_linear_size,
    toy_nonlinear_size,
)
from llr.theory._embed import EmbeddingMethod, embed
from llr.theory._formal_rank import formal_rank
from llr.theory._intrinsic import IntrinsicForm, UnitFate, intrinsic_form
from llr.theory._optimistic import optimistic_sample_size
from llr.theory._sample_size import Published, SampleSize
from llr.theory._tables import (
    BIAS_SETTINGS,
    Measure,
    RankRow,
    RankTable,
    architecture_table,
    rank_row,
    rank_table,
)

__all__ = [
    "BIAS_SETTINGS",
    "ClosedForm",
    "EmbeddingMethod",
    "IntrinsicForm",
    "Measure",
    "Published",
    "RankRow",
    "RankTable",
    "SampleSize",
    "UnitFate",
    "architecture_table",
    "deep_network_bound",
    "diagonal_network_size",
    "embed",
    "formal_rank",
    "fully_connected_rank",
    "fully_connected_size",
    "intrinsic_form",
    "linear_network_size",
    "linear_size",
    "matrix_factorization_rank",
    "matrix_factorization_size",
    "optimistic_sample_size",
    "rank_row",
    "rank_table",
    "relu_network_bound",
    "shared_convolution_size",
    "toy_linear_size",
    "toy_nonlinear_size",
    "unshared_convolution_size",
]
