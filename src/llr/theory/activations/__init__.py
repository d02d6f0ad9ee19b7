"""What theory knows of each activation."""

from llr.theory.activations._symmetry import (
    ODD,
    VALUE_AT_ZERO,
)

__all__ = [
    "ODD",
    "VALUE_AT_ZERO",
]
