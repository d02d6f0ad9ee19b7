"""Bounds with two knots: hardtanh, relu6, hardsigmoid, hardswish, softshrink.

Pieces of different units can meet at a knot (two units on neighbouring intervals make one), so a
function can have representations of different shapes. A live unit has two parallel hyperplanes and
the functions slope (H_P - H_P') times 1 and x_t: hyperplanes are the vertices and live units
the edges of a graph, in which every vertex where the target has a kink is met, and a spanning
forest gives independent functions. A generic target is the case where all trees are single edges,
and the bound its value.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from llr.theory.activations import ODD, Piecewise
from llr.theory.sizes.families._constant_part import ConstantPart
from llr.theory.sizes.families._distinct_units import with_constant
from llr.theory.sizes.families._least_units import LeastUnits, Student, dense_weights
from llr.theory.sizes.families._merged_units import constant_units, merge_groups, rounded
from llr.theory.two_layer import CONSTANT, TwoLayerNetwork, group_hyperplanes, group_units

__all__ = ["knot_bounds"]


def knot_bounds(student: Student, target: TwoLayerNetwork) -> LeastUnits:
    """The merged target and a lower bound from its kinks."""
    units, odd = target.units, student.row.name in ODD
    group, sign = group_units(units, up_to_sign=odd)
    merged = merge_groups(target, group, sign.tolist() if odd else [1] * len(units))
    places, constants = [m.unit for m in merged], constant_units(target)
    part = ConstantPart.of(
        student.row, units.bias[constants], units.output[constants], target.output_bias
    )
    found = with_constant(
        student,
        dense_weights(target)[places],
        units.bias[places],
        rounded([m.net for m in merged], student.n_outputs),
        part,
        size=len(merged) * (student.n_outputs + student.affine),
    )
    if not len(found):
        return found
    kinks = _kinks(student, target)
    lower = student.free + _least_forest(student, kinks)
    nonzero, _ = part.decide()
    if not kinks:  # a polynomial, perhaps zero
        lower += int(nonzero and not student.output_bias and not merged)
    return LeastUnits(
        found.weights,
        found.bias,
        found.output,
        found.constant,
        min(lower, found.upper),
        found.upper,
        found.words,
        found.note,
        unsettled="units whose knots meet can be put together in other ways",
        assumes=found.assumes,
    )


def _kinks(student: Student, target: TwoLayerNetwork) -> int:
    """Number of hyperplanes at which some output or its slope jumps."""
    kind, units = student.row.kind, target.units
    assert isinstance(kind, Piecewise)
    knots = np.array([float(knot.at) for knot in kind.knots])
    planes, side = group_hyperplanes(units, knots)
    weights, first = dense_weights(target), {}
    jumps: dict[int, dict[tuple[int, int], Fraction]] = {}
    for unit in np.flatnonzero((units.output != 0).any(axis=1)).tolist():
        for k, knot in enumerate(kind.knots):
            plane = int(planes[unit, k])
            if plane == CONSTANT:
                continue
            place = int(np.argmax(weights[unit] != 0))
            best = first.setdefault(plane, weights[unit, place])
            scale = Fraction(weights[unit, place]) / Fraction(
                best
            )  # z - knot = scale x (first one)
            jump = _shifted(knot.jump, knot.at)
            total = jumps.setdefault(plane, {})
            for l, a in enumerate(units.output[unit].tolist()):
                for power, coefficient in enumerate(jump):
                    # q(z) H on the other side is q(z) - q(z) H on this one
                    value = Fraction(a) * coefficient * scale**power * int(side[unit, k])
                    total[l, power] = total.get((l, power), Fraction(0)) + value
    return sum(any(total.values()) for total in jumps.values())


def _shifted(polynomial: tuple[Fraction, ...], at: Fraction) -> list[Fraction]:
    """Coefficients of q(y + at) in y."""
    out = [Fraction(0)] * len(polynomial)
    for coefficient in reversed(polynomial):
        previous = [Fraction(0), *out[:-1]]
        out = [at * o + p for o, p in zip(out, previous, strict=True)]
        out[0] += coefficient
    return out


def _least_forest(student: Student, kinks: int) -> int:
    """Least dimension of a forest without single vertices that meets so many of them."""
    kind, affine, c = student.row.kind, student.affine, student.n_outputs
    assert isinstance(kind, Piecewise)
    linear = all(len(knot.jump) <= 2 for knot in kind.knots)

    def tree(vertices: int) -> int:
        if linear:  # the jumps of sigma(z) add up to a constant over a tree, those of slopes to 0
            return (vertices - 1) * affine + c
        return (vertices - 1) * affine + (vertices == 2)

    least = [0] + [tree(max(n, 2)) for n in range(1, kinks + 1)]
    for n in range(2, kinks + 1):
        least[n] = min([least[n]] + [least[n - s] + tree(s) for s in (2, 3, 4) if s <= n])
    return least[kinks]
