"""What a constant costs in a model without output biases."""

from __future__ import annotations

from typing import NamedTuple

from llr.errors import NotExpressibleError
from llr.theory.activations import FLAT_POINTS, NEVER_ZERO, VALUE_AT_ZERO, ZERO_POINTS
from llr.theory.sizes.families._least_units import Student

__all__ = ["ConstantUnit", "constant_unit", "zero_function_size"]


class ConstantUnit(NamedTuple):
    """A unit with zero input weights that expresses any constant vector.

    Attributes:
        bias: its bias.
        lower: lower bound of the dimensions that it adds: 1 for each output, and x_t.
        upper: upper bound.
        note: why a float bias adds more; empty where it does not.
    """

    bias: float
    lower: int
    upper: int
    note: str


def constant_unit(student: Student, constant: float) -> ConstantUnit:
    """The cheapest constant unit.

    Raises:
        NotExpressibleError: if every constant unit is zero.
    """
    name, c, d = student.row.name, student.n_outputs, student.input_size
    flat = FLAT_POINTS.get(name)
    if not student.hidden_bias:
        if VALUE_AT_ZERO[name] == 0:
            raise NotExpressibleError(
                "the model must have an output bias or hidden biases for this target, got neither: "
                f"the target has the constant part {constant:g}. "
                "Build the model with output_bias=True (free) or hidden_bias=True."
            )
        cost = c if flat is not None and flat.bias == 0 else c + d
        return ConstantUnit(0.0, cost, cost, "")
    if flat is None:
        known = not student.row.assumes  # of a registered activation no flat point is known
        return ConstantUnit(1.0, c + d if known else c, c + d, "")
    note = ""
    if not flat.exact:
        note = (
            f"the bias at which {name} is flat is irrational; the witness has the nearest float, "
            f"{flat.bias!r}, at which the exact rank is {d} larger"
        )
    return ConstantUnit(flat.bias, c, c, note)


class ZeroFunction(NamedTuple):
    """Size of the zero function, and the bias of the units that attain it."""

    lower: int
    upper: int
    bias: float
    note: str


def zero_function_size(student: Student) -> ZeroFunction:
    """The rank of the zero function: output weights zero, and sigma(b) zero if it can be."""
    name, c = student.row.name, student.n_outputs
    if student.output_bias or VALUE_AT_ZERO[name] == 0:
        return ZeroFunction(student.free, student.free, 0.0, "")
    if name in NEVER_ZERO or not student.hidden_bias:
        return ZeroFunction(c, c, 0.0, "")
    point = ZERO_POINTS.get(name)
    if point is None:
        return ZeroFunction(0, c, 0.0, "")
    note = ""
    if not point.exact:
        note = (
            f"the bias at which {name} vanishes is irrational; the witness has the nearest float, "
            f"{point.bias!r}, at which the exact rank is {c}"
        )
    return ZeroFunction(0, 0, point.bias, note)
