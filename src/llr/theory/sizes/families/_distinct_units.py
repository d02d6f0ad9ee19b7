"""Sizes where a target has one net coefficient for each class of units.

For odd, even and unrelated units (and for exp, whose classes are the w), every representation has a
live unit in each class whose net coefficient is not zero, and its tangent functions contain those
of one merged unit: the merged network has the least rank. A constant without output biases needs
a constant unit (docs/theory/optimistic_sizes).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from llr.theory.activations import Exponential, ExponentialLinear, Gaussian, Piecewise, Smooth
from llr.theory.arithmetic import Floats, Integers
from llr.theory.sizes.families._constant_cost import constant_unit, zero_function_size
from llr.theory.sizes.families._constant_part import ConstantPart, activation_at
from llr.theory.sizes.families._least_units import (
    LeastUnits,
    Student,
    dense_weights,
    network_of_units,
    no_units,
)
from llr.theory.sizes.families._merged_units import (
    MergedUnit,
    constant_units,
    merge_groups,
    rounded,
)
from llr.theory.two_layer import (
    TwoLayerNetwork,
    group_hyperplanes,
    group_units,
    two_layer_rank,
)

__all__ = ["distinct_units", "hyperplane_factors", "with_constant"]


def distinct_units(student: Student, target: TwoLayerNetwork) -> LeastUnits:
    """The merged network."""
    merged, output = _merged(student, target)
    units = [group.unit for group in merged]
    weights, bias = dense_weights(target)[units], target.units.bias[units]
    constants = constant_units(target)
    part = ConstantPart.of(
        student.row,
        target.units.bias[constants],
        target.units.output[constants],
        target.output_bias,
    )
    return with_constant(student, weights, bias, output, part)


def with_constant(
    student: Student,
    weights: Floats,
    bias: Floats,
    output: Floats,
    part: ConstantPart,
    *,
    size: int | None = None,
) -> LeastUnits:
    """Merged units and a constant part, with their size.

    Args:
        student: the model.
        weights: (k, d).
        bias: (k,).
        output: (k, c).
        part: the constant part.
        size: what the units cost, where it is not that of distinct units.
    """
    k, nonzero, assumes = len(bias), *part.decide()
    words = f"{k} distinct unit{'s' if k != 1 else ''}"
    constant = part.numeric if nonzero else np.zeros(student.n_outputs)
    if not k and not nonzero:
        zero = zero_function_size(student)
        return LeastUnits(
            *no_units(student, constant),
            lower=zero.lower,
            upper=zero.upper,
            words="the zero function",
            note=zero.note,
            spare_bias=zero.bias,
            assumes=assumes,
        )
    lower = upper = student.free + (k * _unit_cost(student) if size is None else size)
    note = ""
    if nonzero and not student.output_bias:
        extra = constant_unit(student, float(constant[0]))
        value = activation_at(student.row, extra.bias)
        weights = np.concatenate([weights, np.zeros((1, student.input_size))])
        bias = np.append(bias, extra.bias)
        output = np.concatenate([output, (constant / value)[None, :]])
        lower, upper, note = lower + extra.lower, upper + extra.upper, extra.note
        words += " and a constant"
    if isinstance(student.row.kind, ExponentialLinear):
        network = network_of_units(student, weights, bias, output)
        lower = upper = two_layer_rank(network, student.row).rank
    return LeastUnits(
        weights,
        bias,
        output,
        constant if student.output_bias else np.zeros(student.n_outputs),
        lower,
        upper,
        words,
        note,
        assumes=assumes,
    )


def _unit_cost(student: Student) -> int:
    """What one unit has: c output weights, and its slope times 1 and x_t."""
    kind, c = student.row.kind, student.n_outputs
    if isinstance(kind, Exponential):
        return c + student.input_size
    rescaled = isinstance(kind, Piecewise)  # abs: the output weight is a rescaling
    return c + student.affine - rescaled


def hyperplane_factors(target: TwoLayerNetwork, group: Integers) -> list[Fraction]:
    """The sizes of the units' weights, relative to the first member of their group."""
    weights = dense_weights(target)
    first: dict[int, int] = {}
    factors = []
    for unit, number in enumerate(group.tolist()):
        best = first.setdefault(number, unit)
        place = int(np.argmax(weights[best] != 0))
        below = Fraction(weights[best, place]) or Fraction(1)
        factors.append(abs(Fraction(weights[unit, place]) / below) or Fraction(1))
    return factors


def _merged(student: Student, target: TwoLayerNetwork) -> tuple[list[MergedUnit], Floats]:
    """The classes with a nonzero net coefficient, and the coefficients rounded."""
    kind, units, c = student.row.kind, target.units, student.n_outputs
    ones: Sequence[Fraction | int] = [1] * len(units)
    if isinstance(kind, Exponential):
        return _exponentials(target)
    if isinstance(kind, Piecewise):
        planes = group_hyperplanes(units, np.zeros(1))[0][:, 0]
        merged = merge_groups(target, planes, hyperplane_factors(target, planes))
        return merged, rounded([group.net for group in merged], c)
    symmetry = kind.symmetry if isinstance(kind, Smooth) else None
    paired = symmetry is not None or isinstance(kind, Gaussian)
    group, sign = group_units(units, up_to_sign=paired)
    odd = symmetry is not None and symmetry.sign < 0
    merged = merge_groups(target, group, sign.tolist() if odd else ones)
    return merged, rounded([group.net for group in merged], c)


def _exponentials(target: TwoLayerNetwork) -> tuple[list[MergedUnit], Floats]:
    """Classes of equal w: sums of a e^b, zero only if the sum for each b is (Lindemann)."""
    units = target.units
    group, _ = group_units(units, up_to_sign=False, with_bias=False)
    alike, _ = group_units(units, up_to_sign=False)
    by_bias = merge_groups(target, alike, [1] * len(units))
    classes: dict[int, list[MergedUnit]] = {}
    for merged in by_bias:
        classes.setdefault(int(group[merged.unit]), []).append(merged)
    kept, outputs = [], []
    for members in classes.values():
        best = max(members, key=lambda m: float(units.bias[m.unit]))
        total = np.zeros(units.output.shape[1])
        for m in members:
            shift = np.exp(units.bias[m.unit] - units.bias[best.unit])
            total += shift * np.array([float(v) for v in m.net])
        kept.append(best)
        outputs.append(total)
    return kept, np.array(outputs).reshape(len(outputs), units.output.shape[1])
