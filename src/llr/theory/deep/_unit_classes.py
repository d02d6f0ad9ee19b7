r"""Hidden units of a deep tanh network, classed layer by layer by the function they compute.

Two units of a layer compute the same function up to sign if and only if their incoming weights,
written in the distinct functions of the layer below, and their constant parts are equal up to that
sign: 1 and the distinct nonconstant functions of a layer are linearly independent (Theorem D1,
corollary b). So one pass upwards finds all classes. Everything is exact: weights of equal units are
added as integers times a power of two, constants are combinations of numbers tanh(beta).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from llr.theory.arithmetic import Floats, Integers
from llr.theory.deep._constant_values import Combination, TanhValues, total
from llr.theory.deep._exact_sums import BigIntegers, grouped_sums, scaled_integers
from llr.theory.deep._tanh_network import TanhForm, TanhLayer, TanhNetwork
from llr.theory.two_layer import CONSTANT

__all__ = ["LayerClasses", "UnitClasses", "classify_units"]


@dataclass(frozen=True)
class LayerClasses:
    """Classes of the units of one layer.

    Attributes:
        group: (m,), the class of each unit, numbered in order of appearance, ``CONSTANT`` for
            units that compute a constant.
        sign: (m,), +-1: the unit computes this sign times the function of its class.
        values: for each constant unit, tanh of its argument.
    """

    group: Integers
    sign: Integers
    values: Mapping[int, Combination]

    @property
    def n_groups(self) -> int:
        """Number of classes, constants not counted."""
        return int(self.group.max(initial=CONSTANT)) + 1

    @property
    def representative(self) -> Integers:
        """(n_groups,), the first unit of each class."""
        varying = np.flatnonzero(self.group != CONSTANT)
        _, first = np.unique(self.group[varying], return_index=True)
        return varying[first]

    @property
    def counts(self) -> Integers:
        """(n_groups,), how many units each class has."""
        return np.bincount(self.group[self.group != CONSTANT], minlength=self.n_groups)


@dataclass(frozen=True)
class UnitClasses:
    """Classes of all layers.

    Attributes:
        layers: of the inputs (each a class of its own) and of the hidden layers 1..L-1.
        values: the numbers tanh(beta) that constant units take.
    """

    layers: tuple[LayerClasses, ...]
    values: TanhValues


def classify_units(network: TanhNetwork) -> UnitClasses:
    """The classes of all hidden units, from the first layer up."""
    d = network.sizes[0]
    layers = [LayerClasses(np.arange(d), np.ones(d, dtype=np.int64), {})]
    values = TanhValues()
    for number, layer in enumerate(network.layers[:-1]):
        below = TanhForm(Fraction(0), Fraction(1), Fraction(1)) if number == 0 else network.form
        layers.append(_classify(layer, layers[-1], below, network.form, values))
    return UnitClasses(tuple(layers), values)


def constant_parts(layer: TanhLayer, below: LayerClasses, form: TanhForm) -> list[Combination]:
    """The constant part of each unit's argument z = W y + b.

    Args:
        layer: W and b.
        below: classes of the units y.
        form: y = offset + scale tanh(...).
    """
    biases = np.zeros(len(layer.weight)) if layer.bias is None else layer.bias
    parts = [Combination.rational(Fraction(float(bias))) for bias in biases]
    if not form.offset and not any(below.values.values()):
        return parts
    whole, exponent = scaled_integers(layer.weight)
    unit = Fraction(2) ** exponent
    if form.offset:
        sums = whole.sum(axis=1).tolist()
        parts = [
            total([part, Combination.rational(form.offset * unit * s)])
            for part, s in zip(parts, sums, strict=True)
        ]
    fed = [(j, value.scaled(form.scale * unit)) for j, value in below.values.items() if value]
    return [
        total([part, *(value.scaled(Fraction(row[j])) for j, value in fed if row[j])])
        for part, row in zip(parts, whole, strict=True)
    ]


def incoming_weights(
    weight: Floats, below: LayerClasses
) -> tuple[Floats, Integers, BigIntegers, Integers, int]:
    """Weights from the classes of the layer below.

    Returns:
        The weights (m, s) from the classes with one unit, and which classes these are; those from
        the classes with several, as integers (m, r), which classes, and their exponent.
    """
    counts = below.counts
    varying = np.flatnonzero(below.group != CONSTANT)
    alone = varying[counts[below.group[varying]] == 1]
    shared = varying[counts[below.group[varying]] > 1]
    singles = weight[:, alone] * below.sign[alone]
    classes, index = np.unique(below.group[shared], return_inverse=True)
    whole, exponent = scaled_integers(weight[:, shared])
    sums = grouped_sums(whole * below.sign[shared].astype(object), index, len(classes))
    return singles, below.group[alone], sums, classes, exponent


def _classify(
    layer: TanhLayer, below: LayerClasses, form: TanhForm, own: TanhForm, values: TanhValues
) -> LayerClasses:
    """Classes of one layer, given those of the layer below."""
    singles, _, sums, _, _ = incoming_weights(layer.weight, below)
    constants = constant_parts(layer, below, form)
    sign = _first_signs(singles, sums)
    oriented = np.ascontiguousarray(singles * sign[:, None] + 0.0)  # + 0.0: no negative zeros
    m = len(sign)
    group = np.full(m, CONSTANT, dtype=np.int64)
    numbers: dict[object, int] = {}
    found: dict[int, Combination] = {}
    for unit in range(m):
        side = int(sign[unit])
        if side == 0:
            found[unit] = values.tanh(constants[unit].scaled(own.slope))
            continue
        constant = constants[unit] if side > 0 else -constants[unit]
        key = (oriented[unit].tobytes(), tuple((side * sums[unit]).tolist()), constant)
        group[unit] = numbers.setdefault(key, len(numbers))
    return LayerClasses(group, np.where(sign == 0, 1, sign), found)


def _first_signs(singles: Floats, sums: BigIntegers) -> Integers:
    """Sign of the first nonzero weight of each row, 0 for rows without one."""
    signs = np.sign(singles).astype(np.int64)
    wide = np.concatenate([signs, np.sign(sums.astype(object)).astype(np.int64)], axis=1)
    if wide.shape[1] == 0:
        return np.zeros(len(wide), dtype=np.int64)
    first = (wide != 0).argmax(axis=1)
    return wide[np.arange(len(wide)), first]
