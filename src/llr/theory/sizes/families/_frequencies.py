r"""Sizes with sin and cos: units of one frequency, up to sign, merge whatever their phases.

The units of the frequency w make P sin(w.x) + Q cos(w.x) with P + iQ = sum_u a_u e^(i b_u), vectors
of c numbers, which is zero only if the sum for each phase is (Lindemann). One unit makes it where
the matrix (P, Q) has rank 1, at a cost of c + 1 + d; rank 2 takes two units, at 2 c + 2 d.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import combinations

import numpy as np

from llr.errors import NotExpressibleError
from llr.theory.activations import Wave
from llr.theory.arithmetic import Floats
from llr.theory.sizes.families._constant_part import ConstantPart
from llr.theory.sizes.families._distinct_units import with_constant
from llr.theory.sizes.families._least_units import LeastUnits, Student, dense_weights
from llr.theory.sizes.families._merged_units import MergedUnit, constant_units, merge_groups
from llr.theory.two_layer import TwoLayerNetwork, group_units

__all__ = ["frequency_units"]

Phases = list[tuple[Fraction, tuple[Fraction, ...]]]
"""Phases of units of one frequency, with the sum of their output weights."""


def frequency_units(student: Student, target: TwoLayerNetwork) -> LeastUnits:
    """One unit for each frequency, or two."""
    kind = student.row.kind
    assert isinstance(kind, Wave)
    c, weights = student.n_outputs, dense_weights(target)
    rows: list[tuple[Floats, float, Floats]] = []
    size = 0
    for unit, phases in _frequencies(target, odd=not kind.cosine):
        flat = _is_flat(phases, c)
        if not student.hidden_bias:
            phases, flat = [_without_phase(phases)], True
        size += (c + student.affine) if flat else 2 * (c + student.input_size)
        rows += [(weights[unit], b, a) for b, a in _units(kind, phases, flat)]
    constants = constant_units(target)
    part = ConstantPart.of(
        student.row,
        target.units.bias[constants],
        target.units.output[constants],
        target.output_bias,
    )
    return with_constant(
        student,
        np.array([w for w, _, _ in rows]).reshape(-1, student.input_size),
        np.array([b for _, b, _ in rows]),
        np.array([a for _, _, a in rows]).reshape(-1, c),
        part,
        size=size,
    )


def _frequencies(target: TwoLayerNetwork, *, odd: bool) -> list[tuple[int, Phases]]:
    """One unit for each frequency, and the phases relative to that unit's w.x."""
    units = target.units
    alike, sign = group_units(units)
    merged = merge_groups(target, alike, sign.tolist() if odd else [1] * len(units))
    group, _ = group_units(units, with_bias=False)
    classes: dict[int, list[MergedUnit]] = defaultdict(list)
    for member in merged:
        classes[int(group[member.unit])].append(member)
    found = []
    for members in classes.values():
        first = members[0].unit
        phases = []
        for m in members:
            turn = int(sign[m.unit] * sign[first])
            net = tuple(turn * v for v in m.net) if odd else m.net
            phases.append((turn * Fraction(float(units.bias[m.unit])), net))
        found.append((first, phases))
    return found


def _without_phase(phases: Phases) -> tuple[Fraction, tuple[Fraction, ...]]:
    """A frequency in units without biases: sums over b and -b, each 2 cos b times one unit."""
    net: dict[Fraction, tuple[Fraction, ...]] = dict(phases)
    if any(vector != net.get(-b) for b, vector in phases):
        raise NotExpressibleError(
            "the model's hidden units must have biases for this target, got none: some of its "
            "frequencies have another phase. Build the model with hidden_bias=True."
        )
    total = [
        sum((Fraction(float(np.cos(float(b)))) * vector[l] for b, vector in phases), Fraction(0))
        for l in range(len(phases[0][1]))
    ]
    return Fraction(0), tuple(total)


def _is_flat(phases: Phases, n_outputs: int) -> bool:
    """Whether the vectors P and Q are proportional.

    F_l = sum_b a_lb e^(ib) has the direction of F_m if F_l conj(F_m) is real, a Laurent polynomial
    in e^(i/N), which is transcendental: its coefficients must be symmetric.
    """
    if len(phases) == 1 or n_outputs == 1:
        return True
    for l, m in combinations(range(n_outputs), 2):
        product: dict[Fraction, Fraction] = defaultdict(Fraction)
        for b, net in phases:
            for other, net_other in phases:
                product[b - other] += net[l] * net_other[m]
        if any(v != product[-b] for b, v in list(product.items())):
            return False
    return True


def _units(kind: Wave, phases: Phases, flat: bool) -> list[tuple[float, Floats]]:
    """Biases and output weights of the units that make a frequency."""
    angles = np.array([float(b) for b, _ in phases])
    nets = np.array([[float(v) for v in net] for _, net in phases])
    if len(phases) == 1:
        return [(float(angles[0]), nets[0])]
    real, imaginary = np.cos(angles) @ nets, np.sin(angles) @ nets  # sum a cos b, sum a sin b
    if flat:
        l = int(np.argmax(np.hypot(real, imaginary)))
        phase = float(np.arctan2(imaginary[l], real[l]))
        return [(phase, real * np.cos(phase) + imaginary * np.sin(phase))]
    # a_0 e^(i0) + a_1 e^(i1) for the phases 0 and 1
    second = imaginary / np.sin(1.0)
    return [(0.0, real - second * np.cos(1.0)), (1.0, second)]
