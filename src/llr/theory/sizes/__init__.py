"""Optimistic sample sizes."""

from llr.theory.sizes._optimistic_sample_size import (
    optimistic_sample_size,
)
from llr.theory.sizes._sample_size import (
    Published,
    SampleSize,
)

__all__ = [
    "Published",
    "SampleSize",
    "optimistic_sample_size",
]
