r"""Exact model rank of a deep fully connected tanh network at any parameter point.

Let layer l = 1..L map y^(l-1) to z^l = W^l y^(l-1) + b^l, with y^0 = x and y^l = sigma(z^l) below
the output. The columns of the tangent matrix are delta_i y_j, one for each weight, and delta_i, one
for each bias. By the deep tanh theorem, products of the vectors delta_i, in the coordinates of
:mod:`~llr.theory.deep._backpropagated_vectors`, with distinct tails (an input, the function of a
class of the layer below, or 1) are independent. So for parameters that are not tied

    r = sum_l G_(l-1) dim span(delta^l) + dim sum_(l in S) span(delta^l),

G_l the number of classes of layer l (G_0 = d) and S the layers whose tangent functions include
the delta^l themselves: those with a bias, with a constant unit below whose value is not 0, or, for
the sigmoid, with two units below that are equal up to a flip. Without constant units this is
r = c (G_(L-1) + ob) + sum_(l<L) sum_I rho_I (G_(l-1) + bias_l). Tied parameters add columns, so
their rank is that of a matrix with a row for each pair of a coordinate and a tail.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from llr.errors import InvalidInputError
from llr.theory.arithmetic import N_PRIMES, PRIME_BITS, large_prime, random_primes
from llr.theory.deep._backpropagated_vectors import (
    Deltas,
    output_deltas,
    pass_down,
    pivot_columns,
)
from llr.theory.deep._constant_values import Combination
from llr.theory.deep._exact_sums import BigIntegers
from llr.theory.deep._tanh_network import TanhForm, TanhLayer, TanhNetwork
from llr.theory.deep._unit_classes import LayerClasses, UnitClasses, classify_units
from llr.theory.deep._value_residues import argument_exponents, value_residues
from llr.theory.two_layer import CONSTANT

__all__ = ["MOST_ENTRIES", "deep_rank"]

MOST_ENTRIES = 20_000_000
"""Largest matrix of coordinates, tails and tied parameters that is eliminated."""


def deep_rank(network: TanhNetwork, *, seed: int = 0) -> int:
    """The exact model rank, from two random primes.

    Every step is linear algebra modulo a prime, so the result never exceeds the rank; the larger of
    two results is returned. Without constant units and equal units no prime enters at all.

    Raises:
        InvalidInputError: if parameters are tied and the matrix is too large.
    """
    classes = classify_units(network)
    draw = random.Random(seed)
    return max(
        _rank_modulo(network, classes, prime, draw) for prime in _primes(network, classes, seed)
    )


def _primes(network: TanhNetwork, classes: UnitClasses, seed: int) -> tuple[int, ...]:
    """Two random primes, far above the degree of any minor in the values' variables."""
    exponents = argument_exponents(classes.values)
    degree = 4 * sum(abs(n) for row in exponents for n in row)
    if degree == 0:
        return random_primes(seed)
    n_columns = sum(layer.weight.size + len(layer.weight) for layer in network.layers)
    bits = -(-(PRIME_BITS + (degree * n_columns).bit_length()) // 64) * 64  # few sizes: cached
    return tuple(large_prime(bits, 2 * seed + i) for i in range(N_PRIMES))


def _rank_modulo(
    network: TanhNetwork, classes: UnitClasses, prime: int, draw: random.Random
) -> int:
    """The rank modulo one prime."""
    known = value_residues(classes.values, prime, draw)
    deltas = _all_deltas(network, classes, known, prime)
    if network.tied:
        return _tied_rank(network, classes, deltas, known, prime)
    return _untied_rank(network, classes, deltas, prime)


def _all_deltas(
    network: TanhNetwork, classes: UnitClasses, known: Sequence[int], prime: int
) -> list[Deltas]:
    """Vectors of layers 1..L."""
    form = network.form
    slope = _residue(form.scale * form.slope, prime)
    deltas = [output_deltas(network.sizes[-1])]
    for number in reversed(range(1, len(network.layers))):
        own = classes.layers[number]
        slopes = {
            unit: slope * (1 - _value(value, known, prime) ** 2) % prime
            for unit, value in own.values.items()
        }
        deltas.append(pass_down(deltas[-1], network.layers[number].weight, own, slopes, prime))
    return deltas[::-1]


def _untied_rank(
    network: TanhNetwork, classes: UnitClasses, deltas: Sequence[Deltas], prime: int
) -> int:
    """The formula of the module's docstring."""
    rank, single, passed = 0, 0, []
    taken: list[range] = []
    width = deltas[0].n_coordinates
    for number, (layer, delta) in enumerate(zip(network.layers, deltas, strict=True)):
        below = classes.layers[number]
        vectors = [*delta.passed.values()]
        if layer.weight_trainable:
            rank += below.n_groups * (delta.n_new + _rank(vectors, width, prime))
        if _has_tail_one(layer, below, network.form if number else None):
            single += delta.n_new
            taken.append(range(delta.n_coordinates - delta.n_new, delta.n_coordinates))
            passed += vectors
    free = [i for i in range(width) if not any(i in block for block in taken)]
    return rank + single + _rank(passed, width, prime, free)


def _has_tail_one(layer: TanhLayer, below: LayerClasses, form: TanhForm | None) -> bool:
    """Whether the delta of a layer are tangent functions themselves."""
    if layer.bias_trainable and layer.bias is not None:
        return True
    if not layer.weight_trainable or form is None:
        return False
    if any(value or form.offset for value in below.values.values()):
        return True
    if not form.offset:
        return False
    varying = below.group != CONSTANT
    up, down = (set(below.group[varying & (below.sign == side)].tolist()) for side in (1, -1))
    return bool(up & down)


def _rank(
    vectors: Sequence[BigIntegers], width: int, prime: int, columns: Sequence[int] | None = None
) -> int:
    """Rank of some vectors, restricted to some coordinates."""
    if not vectors:
        return 0
    rows = np.zeros((len(vectors), width), dtype=object)
    for row, vector in zip(rows, vectors, strict=True):
        row[: len(vector)] = vector
    return len(pivot_columns(rows if columns is None else rows[:, list(columns)], prime))


def _tied_rank(
    network: TanhNetwork,
    classes: UnitClasses,
    deltas: Sequence[Deltas],
    known: Sequence[int],
    prime: int,
) -> int:
    """Rank of the matrix of all columns: a row for each coordinate and tail."""
    width = deltas[0].n_coordinates
    tails = np.cumsum([1, *(layer.n_groups for layer in classes.layers)])
    sizes: dict[str, int] = {}
    for layer in network.layers:
        if layer.weight_trainable:
            sizes[layer.weight_name] = layer.weight.size
        if layer.bias is not None and layer.bias_trainable and layer.bias_name is not None:
            sizes[layer.bias_name] = len(layer.bias)
    starts = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
    n_columns, n_tails = sum(sizes.values()), int(tails[-1])
    if width * n_tails * n_columns > MOST_ENTRIES:
        raise InvalidInputError(
            "a network with tied layers must be small for its exact rank: the matrix has "
            f"{width * n_tails} rows and {n_columns} columns, at most {MOST_ENTRIES} entries are "
            "eliminated. Untie the layers, or measure with llr.model_rank."
        )
    matrix = np.zeros((n_columns, width, n_tails), dtype=object)
    for number, (layer, delta) in enumerate(zip(network.layers, deltas, strict=True)):
        tail = _tail_matrix(classes.layers[number], network.form if number else None, known, prime)
        for i in range(len(layer.weight)):
            vector = _vector(delta, i)
            if layer.weight_name in starts:
                first = starts[layer.weight_name] + i * layer.weight.shape[1]
                for j, (value, places) in enumerate(tail):
                    column = matrix[first + j]
                    column[: len(vector), 0] += value * vector
                    for place, sign in places:
                        column[: len(vector), tails[number] + place] += sign * vector
            if layer.bias_name in starts:
                matrix[starts[layer.bias_name] + i][: len(vector), 0] += vector
    return len(pivot_columns(matrix.reshape(n_columns, -1) % prime, prime))


def _tail_matrix(
    below: LayerClasses, form: TanhForm | None, known: Sequence[int], prime: int
) -> list[tuple[int, list[tuple[int, int]]]]:
    """Each unit below as its constant part and its part in the function of its class."""
    if form is None:
        return [(0, [(int(g), 1)]) for g in below.group]
    offset, scale = _residue(form.offset, prime), _residue(form.scale, prime)
    rows: list[tuple[int, list[tuple[int, int]]]] = []
    for unit, (group, sign) in enumerate(zip(below.group, below.sign, strict=True)):
        if group == CONSTANT:
            value = _value(below.values[unit], known, prime)
            rows.append(((offset + scale * value) % prime, []))
        else:
            rows.append((offset, [(int(group), int(sign) * scale % prime)]))
    return rows


def _vector(delta: Deltas, unit: int) -> BigIntegers:
    """delta_i of one unit in all coordinates so far."""
    vector = np.zeros(delta.n_coordinates, dtype=object)
    if unit in delta.passed:
        vector[: len(delta.passed[unit])] = delta.passed[unit]
    for units, first, coordinates in delta.blocks:
        place = np.flatnonzero(units == unit)
        if len(place):
            vector[first : first + coordinates.shape[1]] = coordinates[place[0]]
    return vector


def _residue(value: Fraction, prime: int) -> int:
    """A rational number modulo the prime."""
    return value.numerator * pow(value.denominator, -1, prime) % prime


def _value(value: Combination, known: Sequence[int], prime: int) -> int:
    """A constant unit's tanh(beta) modulo the prime: 0, or plus or minus one of the numbers."""
    return sum(int(c) * known[i] for i, c in value.terms) % prime
