r"""Classes of units up to sign, where opposite units differ by an affine function.

sigma(-z) = -sigma(z) + c0 (sigmoid) or sigma(-z) = sigma(z) + c1 z (softplus, SiLU, GELU, ReLU,
LeakyReLU).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from llr.theory.activations import ActivationRow, Piecewise, Smooth
from llr.theory.arithmetic import Floats
from llr.theory.sizes.families._constant_part import ConstantPart
from llr.theory.sizes.families._distinct_units import hyperplane_factors
from llr.theory.sizes.families._least_units import Student, dense_weights
from llr.theory.sizes.families._merged_units import (
    MergedUnit,
    constant_units,
    merge_groups,
    rounded,
)
from llr.theory.two_layer import TwoLayerNetwork, group_hyperplanes, group_units

__all__ = ["Flip", "Oriented", "flip_of", "oriented_classes"]

ZERO = Fraction(0)


class Flip(NamedTuple):
    """sigma(-z) = sign sigma(z) + constant + slope z."""

    sign: int
    constant: Fraction
    slope: Fraction


def flip_of(row: ActivationRow) -> Flip | None:
    """The relation of opposite units, None where they have none but oddness or evenness."""
    kind = row.kind
    if isinstance(kind, Smooth) and kind.symmetry is not None:
        found = Flip(kind.symmetry.sign, kind.symmetry.constant, kind.symmetry.slope)
    elif isinstance(kind, Piecewise) and _is_hinge(kind):
        left, jump = kind.base[1] if len(kind.base) > 1 else ZERO, kind.knots[0].jump[1]
        found = Flip(1, ZERO, -(2 * left + jump))
    else:
        return None
    return found if found.constant or found.slope else None


def _is_hinge(kind: Piecewise) -> bool:
    """Whether it is linear on both sides of 0."""
    linear = len(kind.base) <= 2 and not any(kind.base[:1])
    return linear and [(k.at, len(k.jump), k.jump[0]) for k in kind.knots] == [(0, 2, 0)]


@dataclass(frozen=True)
class Oriented:
    """sum_g net_g sigma(z_g) + slope . x + constant, one orientation for each class.

    Attributes:
        weights: (k, d), of the z_g.
        bias: (k,).
        net: k vectors (c,).
        slope: (c, d), exact.
        part: the constant.
    """

    weights: Floats
    bias: Floats
    net: list[tuple[Fraction, ...]]
    slope: list[list[Fraction]]
    part: ConstantPart

    def __len__(self) -> int:
        return len(self.bias)

    @property
    def output(self) -> Floats:
        """The coefficients (k, c) in float64."""
        return rounded(self.net, len(self.slope))

    @property
    def has_slope(self) -> bool:
        """Whether a linear part is left over."""
        return any(map(any, self.slope))


def oriented_classes(student: Student, target: TwoLayerNetwork, flip: Flip) -> Oriented:
    """The classes of a target, each in the orientation of its heaviest unit."""
    units, d = target.units, student.input_size
    if isinstance(student.row.kind, Piecewise):
        planes, side = group_hyperplanes(units, np.zeros(1))
        group, sign, size = planes[:, 0], side[:, 0], hyperplane_factors(target, planes[:, 0])
    else:
        group, sign = group_units(units)
        size = [Fraction(1)] * len(units)
    factor = [scale * (flip.sign if s < 0 else 1) for scale, s in zip(size, sign, strict=True)]
    # A class whose coefficients cancel still leaves a multiple of its z behind.
    weights, constants = dense_weights(target), constant_units(target)
    part = ConstantPart.of(
        student.row, units.bias[constants], units.output[constants], target.output_bias
    )
    slope = [[ZERO] * d for _ in range(student.n_outputs)]
    kept = merge_groups(target, group, factor)
    standing = {int(group[m.unit]): m for m in kept}
    for unit in np.flatnonzero((units.output != 0).any(axis=1)).tolist():
        number = int(group[unit])
        if number < 0:
            continue
        best = standing.setdefault(number, MergedUnit(unit, (unit,), ()))
        if sign[unit] == sign[best.unit]:
            continue
        ratio = size[unit] / size[best.unit]
        # a sigma(-ratio z) = a ratio (sign sigma(z) + constant + slope z), z of the standing unit
        _add_flip(
            slope, part, units.output[unit], ratio, flip, weights[best.unit], best, units.bias
        )
    places = [m.unit for m in kept]
    return Oriented(weights[places], units.bias[places], [m.net for m in kept], slope, part)


def _add_flip(
    slope: list[list[Fraction]],
    part: ConstantPart,
    output: Floats,
    ratio: Fraction,
    flip: Flip,
    weights: Floats,
    standing: MergedUnit,
    bias: Floats,
) -> None:
    """Add a ratio (constant + slope z) for each output."""
    constants = []
    for l, a in enumerate(output.tolist()):
        scale = Fraction(a) * ratio
        for t in np.flatnonzero(weights).tolist():
            slope[l][t] += scale * flip.slope * Fraction(weights[t])
        constants.append(scale * (flip.constant + flip.slope * Fraction(bias[standing.unit])))
    part.add(constants)
