"""Hidden units grouped by the function they compute."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np

from llr.theory.arithmetic import Floats, Integers, PrimeField, random_primes
from llr.theory.two_layer._hidden_units import HiddenUnits

__all__ = ["CONSTANT", "group_hyperplanes", "group_units"]

CONSTANT = -1
"""Group number of the units with zero input weights."""

_NONE = -1


def group_units(
    units: HiddenUnits, *, up_to_sign: bool = True, with_bias: bool = True
) -> tuple[Integers, Integers]:
    """Group units whose (w, b) are equal, up to a common sign, w padded to the whole input.

    Args:
        units: N hidden units.
        up_to_sign: whether (w, b) and (-w, -b) are equal.
        with_bias: whether b counts; otherwise units are grouped by w alone.

    Returns:
        The group (N,) of each unit, numbered in order of appearance, ``CONSTANT`` where w = 0;
        and the sign (N,) that makes the unit's first nonzero weight positive.
    """
    coordinates, weights = _nonzero_first(units)
    sign = np.where(weights[:, 0] < 0, -1, 1)
    turned = sign if up_to_sign else np.ones_like(sign)
    # Adding 0.0 turns -0.0 into 0.0, so that equal numbers have equal bits.
    parts = [coordinates, (weights * turned[:, None] + 0.0).view(np.int64)]
    if with_bias:
        parts.append((units.bias * turned + 0.0).view(np.int64)[:, None])
    key = np.concatenate(parts, axis=1)
    numbers: dict[bytes, int] = {}
    group = np.full(len(units), CONSTANT, dtype=np.int64)
    for unit in np.flatnonzero((units.weights != 0).any(axis=1)):
        group[unit] = numbers.setdefault(key[unit].tobytes(), len(numbers))
    return group, sign


def group_hyperplanes(units: HiddenUnits, knots: Floats) -> tuple[Integers, Integers]:
    """Group the hyperplanes w.x + b = knot of all units and knots.

    Args:
        units: N hidden units.
        knots: (K,), dyadic numbers.

    Returns:
        The group (N, K) of each hyperplane, ``CONSTANT`` where w = 0; and its side (N, K): 1 where
        z > knot is the side of the group's first member, -1 where it is the other one.
    """
    coordinates, weights = _nonzero_first(units)
    shared = _with_equal_images(coordinates, weights, units.bias, knots)
    group = np.full((len(units), len(knots)), CONSTANT, dtype=np.int64)
    side = np.ones((len(units), len(knots)), dtype=np.int64)
    numbers: dict[tuple[object, ...], tuple[int, int]] = {}
    alone = 0
    for unit in np.flatnonzero((units.weights != 0).any(axis=1)).tolist():
        if not shared[unit].any():
            group[unit] = len(numbers) + alone + np.arange(len(knots))
            alone += len(knots)
            continue
        used = coordinates[unit] != _NONE
        normal = [Fraction(w) for w in weights[unit, used].tolist()]
        place = coordinates[unit, used].tobytes()
        for k, knot in enumerate(knots.tolist()):
            plane = _primitive([*normal, Fraction(units.bias[unit]) - Fraction(knot)])
            orientation = 1 if plane[0] > 0 else -1
            key = (place, *(orientation * v for v in plane))
            number, first = numbers.setdefault(key, (len(numbers) + alone, orientation))
            group[unit, k], side[unit, k] = number, orientation * first
    return group, side


def _with_equal_images(
    coordinates: Integers, weights: Floats, bias: Floats, knots: Floats
) -> Integers:
    """Which hyperplanes (N, K) may be equal to another one.

    The image is a random linear function of the hyperplane's equation, first weight 1, modulo a
    prime: equal hyperplanes have equal images, so those with an image of their own are settled.
    """
    field, draw = PrimeField(random_primes(0)[0]), random.Random(0)
    size = int(coordinates.max(initial=0)) + 1
    factors = field.array([draw.randrange(1, field.prime) for _ in range(size + 1)])
    terms = field.times(field.residues(weights), factors[coordinates])  # factor -1: of the zeros
    normal = np.zeros(len(weights), dtype=np.int64)
    for column in terms.T:
        normal = field.plus(normal, column)
    first = field.residues(weights[:, 0]).tolist()
    inverse = field.array([field.inverse(v) if v else 0 for v in first])
    offset = field.minus(field.residues(bias)[:, None], field.residues(knots)[None, :])
    image = field.plus(normal[:, None], field.times(offset, factors[size : size + 1]))
    image = field.times(image, inverse[:, None])
    _, place, count = np.unique(image, return_inverse=True, return_counts=True)
    return (count[place] > 1).astype(np.int64).reshape(image.shape)


def _primitive(vector: list[Fraction]) -> list[int]:
    """The integers without a common factor that are a positive multiple of the vector."""
    scale = math.lcm(*(v.denominator for v in vector))
    whole = [int(v * scale) for v in vector]
    divisor = math.gcd(*whole)
    return [v // divisor for v in whole]


def _nonzero_first(units: HiddenUnits) -> tuple[Integers, Floats]:
    """Coordinates and weights with the nonzero weights in front; coordinate -1 for zeros."""
    nonzero = units.weights != 0
    front = np.argsort(~nonzero, axis=1, kind="stable")
    coordinates = np.where(
        np.take_along_axis(nonzero, front, axis=1),
        np.take_along_axis(units.coordinates, front, axis=1),
        _NONE,
    )
    return coordinates, np.take_along_axis(units.weights, front, axis=1)
