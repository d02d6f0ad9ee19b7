"""Exact integers from the theory: ranks, optimistic sample sizes, embeddings.

Ranks and sizes come from linear algebra on the parameters, not from samples. The one exception:
the lower bound of a sample size that is only bounded evaluates the target at a few random inputs,
to see whether it is constant.
"""

from __future__ import annotations

from llr._moved import moved_names
from llr.theory._attention_rank import attention_rank
from llr.theory._closed_forms import (
    ClosedForm,
    deep_network_bound,
    fully_connected_rank,
    fully_connected_size,
    relu_network_bound,
    shared_convolution_size,
    unshared_convolution_size,
)
from llr.theory._embed import EmbeddingMethod, embed
from llr.theory._explain_rank import RankExplanation, UnitGroup, explain_rank
from llr.theory._formal_rank import formal_rank
from llr.theory._intrinsic_form import IntrinsicForm, UnitFate, intrinsic_form
from llr.theory.activations import Symmetry, register_activation
from llr.theory.deep import DeepIntrinsicForm, DeepUnitFate
from llr.theory.linear import (
    diagonal_network_size,
    linear_network_size,
    linear_size,
    matrix_factorization_rank,
    matrix_factorization_size,
    toy_linear_size,
    toy_nonlinear_size,
)
from llr.theory.sizes import (
    LearningCoefficient,
    Published,
    SampleSize,
    SeparationSize,
    TargetBranch,
    deep_linear_coefficient,
    learning_coefficient,
    optimistic_sample_size,
    separation_sample_size,
)

__all__ = [
    "ClosedForm",
    "DeepIntrinsicForm",
    "DeepUnitFate",
    "EmbeddingMethod",
    "IntrinsicForm",
    "LearningCoefficient",
    "Published",
    "RankExplanation",
    "SampleSize",
    "SeparationSize",
    "Symmetry",
    "TargetBranch",
    "UnitFate",
    "UnitGroup",
    "attention_rank",
    "deep_linear_coefficient",
    "deep_network_bound",
    "diagonal_network_size",
    "embed",
    "explain_rank",
    "formal_rank",
    "fully_connected_rank",
    "fully_connected_size",
    "intrinsic_form",
    "learning_coefficient",
    "linear_network_size",
    "linear_size",
    "matrix_factorization_rank",
    "matrix_factorization_size",
    "optimistic_sample_size",
    "register_activation",
    "relu_network_bound",
    "separation_sample_size",
    "shared_convolution_size",
    "toy_linear_size",
    "toy_nonlinear_size",
    "unshared_convolution_size",
]

__getattr__ = moved_names(
    __name__,
    dict.fromkeys(
        (
            "BIAS_SETTINGS",
            "Measure",
            "RankRow",
            "RankTable",
            "architecture_table",
            "rank_row",
            "rank_table",
        ),
        "llr.tables",
    ),
)
