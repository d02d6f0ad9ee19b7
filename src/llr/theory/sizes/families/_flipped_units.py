r"""Sizes where a unit and its opposite differ by a constant or by a multiple of z.

Write the target as sum_g alpha_g sigma(z_g) + l, one orientation for each class of units. With one
live unit per class, the set S of those that are turned changes l by a subset sum of
eps alpha_g (c0 + c1 z_g). If l is such a sum, the target costs k units and no more. Otherwise some
class has two live opposite units, or there is a constant unit: that adds 1 and x_t, or 1 alone for
the sigmoid, and every missing multiple of the z_g in the classes is then free. A gradient of l
outside the span of the w_g takes one more class (docs/theory/optimistic_sizes).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from llr.errors import NotExpressibleError
from llr.theory.activations import Piecewise
from llr.theory.arithmetic import Floats
from llr.theory.sizes.families._affine_ways import Way, constant_ways, pair_ways, with_constant_unit
from llr.theory.sizes.families._distinct_units import with_constant
from llr.theory.sizes.families._least_units import LeastUnits, Student, network_of_units
from llr.theory.sizes.families._oriented_classes import Flip, Oriented, flip_of, oriented_classes
from llr.theory.sizes.families._subset_sums import (
    MOST_VECTORS,
    TooManyVectorsError,
    subset_with_sum,
)
from llr.theory.two_layer import TwoLayerNetwork, two_layer_rank

__all__ = ["flipped_units"]


def flipped_units(student: Student, target: TwoLayerNetwork) -> LeastUnits:
    """The least representation, opposite units taken into account.

    Raises:
        NotExpressibleError: if the model is too narrow for the representations that are known.
    """
    flip = flip_of(student.row)
    assert flip is not None
    form = oriented_classes(student, target, flip)
    k, d, c = len(form), student.input_size, student.n_outputs
    if k == 0 and not form.has_slope:
        return with_constant(student, np.zeros((0, d)), np.zeros(0), np.zeros((0, c)), form.part)
    _, assumes = form.part.decide()
    unit = c + student.affine - isinstance(student.row.kind, Piecewise)
    least, unsettled = student.free + k * unit, ""
    try:
        ways = list(_ways(student, form, flip, unit))
        lower = least + min(way.extra for way in ways)
    except TooManyVectorsError:
        ways, lower = list(_other_ways(student, form, flip, unit)), least
        unsettled = (
            f"whether one unit per class suffices is a subset sum over {k} classes, which is "
            f"searched up to {MOST_VECTORS}"
        )
    if c > 1 and flip.sign > 0 and lower > least:
        lower, unsettled = least + 1, "how several outputs share affine parts is not known"
    return _cheapest(student, ways, k, least, lower, unsettled, assumes)


def _cheapest(
    student: Student,
    ways: list[Way],
    k: int,
    least: int,
    lower: int,
    unsettled: str,
    assumes: tuple[str, ...],
) -> LeastUnits:
    """The cheapest representation that the model has room for."""
    fitting = [way for way in ways if len(way.bias) <= student.width]
    if not fitting:
        needed = min(len(way.bias) for way in ways)
        raise NotExpressibleError(
            f"the model must have at least {needed} hidden neurons for this target, got "
            f"{student.width}. Build it with width={needed} or more."
        )
    way = min(fitting, key=lambda way: way.extra)
    affine = " and an affine part" if len(way.bias) > k else ""
    upper = least + way.extra
    if unsettled:
        network = network_of_units(student, way.weights, way.bias, way.output)
        upper = two_layer_rank(network, student.row).rank
    return LeastUnits(
        way.weights,
        way.bias,
        way.output,
        way.constant if student.output_bias else np.zeros(student.n_outputs),
        lower,
        upper,
        f"{k} distinct unit{'s' if k != 1 else ''}{affine}",
        way.note,
        unsettled=unsettled,
        assumes=assumes,
    )


def _ways(student: Student, form: Oriented, flip: Flip, unit: int) -> Iterator[Way]:
    """One unit per class if that is possible, else what the affine part takes."""
    turned = _subset(student, form, flip, with_constant_part=not student.output_bias)
    if turned is not None:
        yield _turned(form, flip, turned)
        return
    nonzero, _ = form.part.decide()
    if flip.sign > 0 and nonzero and not student.output_bias:
        turned = _subset(student, form, flip, with_constant_part=False)
        if turned is not None:
            yield with_constant_unit(student, _turned(form, flip, turned))
    yield from _other_ways(student, form, flip, unit)


def _other_ways(student: Student, form: Oriented, flip: Flip, unit: int) -> Iterator[Way]:
    """Opposite pairs and constant units."""
    start = _turned(form, flip, [])
    if flip.sign < 0:
        yield from constant_ways(student, form, flip, start)
    else:
        yield from pair_ways(student, form, flip, start, unit)


def _subset(
    student: Student, form: Oriented, flip: Flip, *, with_constant_part: bool
) -> list[int] | None:
    """Classes to turn, so that nothing is left over; None if no set serves."""
    nonzero, _ = form.part.decide()
    if with_constant_part and nonzero and not form.part.is_rational:
        return None
    outputs, d = range(student.n_outputs), student.input_size
    used = [t for t in range(d) if form.weights[:, t].any() or any(s[t] for s in form.slope)]
    used = used if flip.slope else []
    wanted: list[Fraction] = []
    for l in outputs:
        wanted += [form.slope[l][t] for t in used]
        wanted += [form.part.rational[l] if nonzero else Fraction(0)] if with_constant_part else []
    if not any(wanted):
        return []

    def vector(net: tuple[Fraction, ...], w: Floats, b: float) -> list[Fraction]:
        out = []
        for l in outputs:
            scale = flip.sign * net[l]
            out += [scale * flip.slope * Fraction(w[t]) for t in used]
            if with_constant_part:
                out.append(scale * (flip.constant + flip.slope * Fraction(b)))
        return out

    triples = zip(form.net, form.weights, form.bias.tolist(), strict=True)
    return subset_with_sum([vector(*triple) for triple in triples], wanted)


def _turned(form: Oriented, flip: Flip, turned: list[int]) -> Way:
    """One unit for each class, some of them turned; the constant that is left over."""
    sign = np.ones(len(form))
    sign[turned] = -1.0
    output = form.output.copy()
    if flip.sign < 0:
        output[turned] *= -1.0
    constant = form.part.numeric
    for g in turned:
        moved = flip.constant + flip.slope * Fraction(float(form.bias[g]))
        constant = constant - flip.sign * np.array([float(v * moved) for v in form.net[g]])
    return Way(0, form.weights * sign[:, None], form.bias * sign, output, constant)
