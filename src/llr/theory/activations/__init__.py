"""What theory knows of each activation, keyed by the names of ``llr.models.ACTIVATIONS``."""

from llr.theory.activations._flat_points import FLAT_POINTS, ZERO_POINTS, SpecialPoint
from llr.theory.activations._register import register_activation
from llr.theory.activations._rows import (
    ActivationRow,
    Exponential,
    ExponentialLinear,
    Gaussian,
    Kind,
    Knot,
    Piecewise,
    Smooth,
    Symmetry,
    Wave,
)
from llr.theory.activations._symmetry import NEVER_ZERO, ODD, VALUE_AT_ZERO
from llr.theory.activations._table import ROWS, row_of

__all__ = [
    "FLAT_POINTS",
    "NEVER_ZERO",
    "ODD",
    "ROWS",
    "VALUE_AT_ZERO",
    "ZERO_POINTS",
    "ActivationRow",
    "Exponential",
    "ExponentialLinear",
    "Gaussian",
    "Kind",
    "Knot",
    "Piecewise",
    "Smooth",
    "SpecialPoint",
    "Symmetry",
    "Wave",
    "register_activation",
    "row_of",
]
