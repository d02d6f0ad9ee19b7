"""Two-layer functions with any activation, as distinct neurons."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from llr.theory.activations import Gaussian, Piecewise, Smooth, Symmetry, row_of
from llr.theory.two_layer import (
    CONSTANT,
    Neuron,
    TwoLayerFunction,
    TwoLayerNetwork,
    group_units,
    reduced_function,
)

__all__ = ["is_homogeneous", "is_odd", "is_plain", "merged_function"]


def is_odd(activation: str) -> bool:
    """Whether the exact reduced form of tanh networks holds."""
    row = row_of(activation)
    return row is not None and isinstance(row.kind, Smooth) and row.kind.symmetry == Symmetry(-1)


def is_homogeneous(activation: str) -> bool:
    """Whether sigma(c z) = c sigma(z) for c > 0 and sigma is not linear: ReLU and its kin."""
    row = row_of(activation)
    if row is None or not isinstance(row.kind, Piecewise) or len(row.kind.knots) != 1:
        return False
    (knot,) = row.kind.knots
    parts = (row.kind.base, knot.jump)
    return knot.at == 0 and all(not any((*p[:1], *p[2:])) for p in parts)


def merged_function(network: TwoLayerNetwork) -> TwoLayerFunction:
    """The function with equal units added up; for odd activations its unique reduced form.

    Units with zero input weights count as the constant 1, at bias zero, where they have outputs.
    """
    if is_odd(network.activation):
        return reduced_function(network)
    row = row_of(network.activation)
    even = row is not None and isinstance(row.kind, Gaussian)
    units = network.units
    group, sign = group_units(units, up_to_sign=even)
    sign = sign if even else np.ones_like(sign)
    output: dict[int, Fraction] = {}
    first: dict[int, int] = {}
    constant = (
        Fraction(0) if network.output_bias is None else Fraction(float(network.output_bias[0]))
    )
    for unit in np.flatnonzero(units.output[:, 0]).tolist():
        number, weight = int(group[unit]), Fraction(float(units.output[unit, 0]))
        if number == CONSTANT:
            constant = constant or Fraction(1)  # its value does not matter here
            continue
        first.setdefault(number, unit)
        output[number] = output.get(number, Fraction(0)) + weight
    neurons = [_neuron(network, first[g], int(sign[first[g]]), a) for g, a in output.items() if a]
    return TwoLayerFunction(network.input_size, tuple(neurons), {0.0: constant} if constant else {})


def _neuron(network: TwoLayerNetwork, unit: int, sign: int, output: Fraction) -> Neuron:
    """A unit as a neuron."""
    units = network.units
    nonzero = np.flatnonzero(units.weights[unit])
    return Neuron(
        tuple(units.coordinates[unit, nonzero].tolist()),
        tuple((sign * units.weights[unit, nonzero]).tolist()),
        float(sign * units.bias[unit]) + 0.0,
        output,
    )


def is_plain(function: TwoLayerFunction, activation: str) -> bool:
    """Whether its neurons are distinct in every way, so that no network has fewer of them.

    For smooth activations and the Gaussian: no two equal up to sign; for the homogeneous ones: no
    two on one hyperplane.
    """
    if is_odd(activation):
        return True
    row = row_of(activation)
    if row is None:
        return False
    if isinstance(row.kind, (Smooth, Gaussian)):
        keys = {_direction(neuron, scaled=False) for neuron in function.neurons}
    elif is_homogeneous(activation):
        keys = {_direction(neuron, scaled=True) for neuron in function.neurons}
    else:
        return False
    return len(keys) == function.width


def _direction(neuron: Neuron, *, scaled: bool) -> tuple[object, ...]:
    """(w, b) up to sign, or up to any factor."""
    values = [Fraction(v) for v in (*neuron.weights, neuron.bias)]
    factor = values[0] if scaled else (1 if values[0] > 0 else -1)
    return neuron.coordinates, *(v / factor for v in values)
