"""Optimistic and separation sample sizes, and learning coefficients."""

from llr.theory.sizes._aoyagi import deep_linear_coefficient
from llr.theory.sizes._learning_coefficient import LearningCoefficient, learning_coefficient
from llr.theory.sizes._optimistic_sample_size import (
    optimistic_sample_size,
)
from llr.theory.sizes._sample_size import (
    Published,
    SampleSize,
)
from llr.theory.sizes._separation_result import SeparationSize, TargetBranch
from llr.theory.sizes._separation_sample_size import separation_sample_size

__all__ = [
    "LearningCoefficient",
    "Published",
    "SampleSize",
    "SeparationSize",
    "TargetBranch",
    "deep_linear_coefficient",
    "learning_coefficient",
    "optimistic_sample_size",
    "separation_sample_size",
]
