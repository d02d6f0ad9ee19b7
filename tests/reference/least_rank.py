"""Least ranks by search: every network on a small grid of parameters, grouped by its function."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement, product

import numpy as np
import torch

from llr.models import ACTIVATIONS

__all__ = ["Unit", "networks_by_function"]

Unit = tuple[float, float, float]
"""Input weight, bias, output weight, on one input."""

DIGITS = 7
POINTS = np.linspace(-3.7, 4.1, 23)


def networks_by_function(
    activation: str,
    weights: Sequence[float],
    biases: Sequence[float],
    outputs: Sequence[float],
    most_units: int,
    keep: Callable[[tuple[Unit, ...]], bool] = lambda _: True,
) -> list[list[tuple[Unit, ...]]]:
    """All networks with so many units on one input, those with equal values together."""
    sigma = ACTIVATIONS[activation].function
    units = list(product(weights, biases, outputs))
    values = {(w, b, a): a * sigma(torch.from_numpy(w * POINTS + b)).numpy() for w, b, a in units}
    found: dict[bytes, list[tuple[Unit, ...]]] = defaultdict(list)
    for network in combinations_with_replacement(units, most_units):
        if keep(network):
            total = np.round(sum(values[unit] for unit in network), DIGITS) + 0.0
            found[total.tobytes()].append(network)
    return list(found.values())
