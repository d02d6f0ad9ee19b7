"""Where an activation is flat but not zero: a constant unit with that bias sees no input.

A unit with w = 0 has the tangent functions sigma(b) and a sigma'(b) x_t, so a constant costs one
dimension for each output where sigma'(b) = 0, and d more elsewhere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["FLAT_POINTS", "ZERO_POINTS", "SpecialPoint"]


class SpecialPoint(NamedTuple):
    """A bias, and whether the float is the point itself or only the nearest one."""

    bias: float
    exact: bool


FLAT_POINTS: dict[str, SpecialPoint] = {
    "rational": SpecialPoint(1.0, True),
    "hardtanh": SpecialPoint(2.0, True),
    "relu6": SpecialPoint(8.0, True),
    "hardsigmoid": SpecialPoint(4.0, True),
    "hardswish": SpecialPoint(-1.5, True),
    "gaussian": SpecialPoint(0.0, True),
    "cos": SpecialPoint(0.0, True),
    "sin": SpecialPoint(math.pi / 2, False),
    "silu": SpecialPoint(-1.278464542761074, False),
    "gelu": SpecialPoint(-0.7517915246935645, False),
    "gelu_tanh": SpecialPoint(-0.7524614220710162, False),
    "mish": SpecialPoint(-1.1924312145154954, False),
}
"""A bias with sigma' = 0 and sigma not 0; activations without one are not named."""

ZERO_POINTS: dict[str, SpecialPoint] = {
    "hardsigmoid": SpecialPoint(-4.0, True),
    "cos": SpecialPoint(math.pi / 2, False),
}
"""A bias with sigma = 0, for activations that vanish somewhere but not at 0."""
