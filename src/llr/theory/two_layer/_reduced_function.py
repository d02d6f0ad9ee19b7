"""Functions of two-layer networks with an odd activation, in their unique reduced form."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import torch

from llr.models import ACTIVATIONS
from llr.theory.arithmetic import Integers
from llr.theory.two_layer._hidden_units import TwoLayerNetwork
from llr.theory.two_layer._unit_groups import CONSTANT, group_units

__all__ = ["Neuron", "NeuronKey", "TwoLayerFunction", "merge_units", "reduced_function"]


NeuronKey: TypeAlias = tuple[tuple[int, ...], tuple[float, ...], float]


@dataclass(frozen=True)
class Neuron:
    """output * tanh(sum_t weights[t] x[coordinates[t]] + bias), all weights nonzero."""

    coordinates: tuple[int, ...]
    weights: tuple[float, ...]
    bias: float
    output: Fraction

    @property
    def key(self) -> NeuronKey:
        """What tells neurons apart: everything but the output weight."""
        return self.coordinates, self.weights, self.bias


@dataclass(frozen=True)
class TwoLayerFunction:
    """A function of the family, reduced: neurons distinct up to sign, none of them silent.

    Equal functions have equal reduced forms, because distinct neurons and the constant are
    linearly independent. So are the numbers 1 and tanh(b) for different rational b > 0 (with
    t = e^(2/N), N a common denominator, tanh(n/N) = 1 - 2 / (t^n + 1) is rational in the
    transcendental t, with a pole of its own), so the constant part is zero only if each of its
    coefficients is.

    Attributes:
        input_size: number of input coordinates.
        neurons: each with its first weight positive.
        constant: nonzero coefficients of sigma(b), by b > 0, and of 1, at 0.
        activation: an odd one; what is said above holds for tanh.
    """

    input_size: int
    neurons: tuple[Neuron, ...]
    constant: Mapping[float, Fraction]
    activation: str = "tanh"

    @property
    def width(self) -> int:
        """k, the intrinsic width: the number of neurons that are not constant."""
        return len(self.neurons)

    @property
    def constant_value(self) -> float:
        """The constant part as a float."""
        sigma = ACTIVATIONS[self.activation].function
        return math.fsum(
            float(factor) * (float(sigma(torch.tensor(b, dtype=torch.float64))) if b else 1.0)
            for b, factor in self.constant.items()
        )


def reduced_function(network: TwoLayerNetwork) -> TwoLayerFunction:
    """The reduced form of a network's function, in exact arithmetic."""
    group, sign = group_units(network.units)
    return merge_units(network, group, sign)[0]


def merge_units(
    network: TwoLayerNetwork, group: Integers, sign: Integers, *, tol: float = 0.0
) -> tuple[TwoLayerFunction, dict[int, int]]:
    """Add up the output weights of each group of units; groups that cancel disappear.

    Args:
        network: with one output.
        group: (N,), group of each unit.
        sign: (N,), sign that turns each unit into its group's form.
        tol: output weights up to this size count as zero.

    Returns:
        The function, and for each of its neurons the unit that stands for it: the one with the
        largest output weight.
    """
    units = network.units
    weight: dict[int, Fraction] = defaultdict(Fraction)
    representative: dict[int, int] = {}
    constant: dict[float, Fraction] = defaultdict(Fraction)
    if network.output_bias is not None:
        constant[0.0] += Fraction(float(network.output_bias[0]))
    output, bias = units.output[:, 0].tolist(), units.bias.tolist()
    for unit in np.flatnonzero(units.output[:, 0]).tolist():
        number = int(group[unit])
        if number == CONSTANT:
            if abs(bias[unit]) > tol:
                side = 1 if bias[unit] > 0 else -1
                constant[abs(bias[unit])] += side * Fraction(output[unit])
            continue
        weight[number] += int(sign[unit]) * Fraction(output[unit])
        best = representative.setdefault(number, unit)
        if abs(output[unit]) > abs(output[best]):
            representative[number] = unit
    neurons, kept = [], {}
    for number, total in weight.items():
        if abs(total) <= tol:
            continue
        unit = representative[number]
        nonzero = np.flatnonzero(units.weights[unit])
        kept[len(neurons)] = unit
        neurons.append(
            Neuron(
                tuple(units.coordinates[unit, nonzero].tolist()),
                tuple((sign[unit] * units.weights[unit, nonzero]).tolist()),
                float(sign[unit] * units.bias[unit]) + 0.0,
                total,
            )
        )
    factors = {b: factor for b, factor in constant.items() if abs(factor) > tol}
    function = TwoLayerFunction(
        network.input_size, tuple(neurons), factors, activation=network.activation
    )
    return function, kept
