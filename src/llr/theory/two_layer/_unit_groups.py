"""Hidden units grouped by the function they compute."""

from __future__ import annotations

import numpy as np

from llr.theory.arithmetic import Integers
from llr.theory.two_layer._hidden_units import HiddenUnits

__all__ = ["CONSTANT", "group_units"]

CONSTANT = -1
"""Group number of the units with zero input weights."""


def group_units(units: HiddenUnits) -> tuple[Integers, Integers]:
    """Group units whose (w, b) are equal up to a common sign, w padded to the whole input.

    Args:
        units: N hidden units.

    Returns:
        The group (N,) of each unit, numbered in order of appearance, ``CONSTANT`` where w = 0;
        and the sign (N,) that makes the unit's first nonzero weight positive.
    """
    n, s = units.weights.shape
    nonzero = units.weights != 0
    front = np.argsort(~nonzero, axis=1, kind="stable")  # nonzero weights first, in order
    weights = np.take_along_axis(units.weights, front, axis=1)
    coordinates = np.where(
        np.take_along_axis(nonzero, front, axis=1),
        np.take_along_axis(units.coordinates, front, axis=1),
        -1,
    )
    sign = np.where(weights[:, 0] < 0, -1, 1)
    key = np.empty((n, 2 * s + 1), dtype=np.int64)
    key[:, :s] = coordinates
    # Adding 0.0 turns -0.0 into 0.0, so that equal numbers have equal bits.
    key[:, s : 2 * s] = (weights * sign[:, None] + 0.0).view(np.int64)
    key[:, 2 * s] = (units.bias * sign + 0.0).view(np.int64)
    numbers: dict[bytes, int] = {}
    group = np.full(n, CONSTANT, dtype=np.int64)
    for unit in np.flatnonzero(nonzero.any(axis=1)):
        group[unit] = numbers.setdefault(key[unit].tobytes(), len(numbers))
    return group, sign
