"""Exact ranks of fully connected networks with the activation z^p, at random inputs modulo primes.

All tangent functions are polynomials in x with rational coefficients. At random inputs modulo a
random prime their matrix has at most the true rank, and that rank unless a minor, a polynomial of
degree below M p^(L-1), vanishes there: for a prime above 2^60 with a negligible probability
(Schwartz and Zippel), in which case the rank is too small.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from llr.theory._named_parameters import named_values
from llr.theory.arithmetic import PrimeField, Residues, exact_array, largest_rank, matrix_rank
from llr.theory.deep._fully_connected_layers import FullyConnected, read_fully_connected

__all__ = ["PolynomialRank", "polynomial_rank"]

DEGREES = {"square": 2, "cube": 3}
"""Activations z^p, and p."""

MOST_PARAMETERS = 4000
"""The elimination is cubic in the number of parameters."""


@dataclass(frozen=True)
class PolynomialRank:
    """The rank at a point, beside that of the architecture.

    Attributes:
        rank: at the point.
        generic: at random parameters: the dimension of the functions of the architecture.
        expected: the parameters less one rescaling per hidden unit, or all polynomials if those are
            fewer.
    """

    rank: int
    generic: int
    expected: int

    @property
    def words(self) -> str:
        """Whether the architecture, or the point, is defective."""
        text = f"expected dimension {self.expected}, generic rank {self.generic}"
        if self.generic < self.expected:
            text += f": the architecture is defective by {self.expected - self.generic}"
        if self.rank < self.generic:
            text += f"; the point is defective by {self.generic - self.rank}"
        return text


def polynomial_rank(
    model: nn.Module, params: Mapping[str, Tensor] | None, *, seed: int = 0
) -> PolynomialRank | None:
    """The ranks of a network with the activation z^p, None for other modules and large ones."""
    layers = read_fully_connected(model)
    if layers is None or layers.activation not in DEGREES or layers.depth < 2:
        return None
    values = named_values(model, params)
    names = [n for pair in zip(layers.weights, layers.biases, strict=True) for n in pair if n]
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    if sorted(names) != sorted(values) or trainable != set(names):
        return None  # tied or frozen parameters
    exact = {name: exact_array(name, values[name]) for name in names}
    count = sum(value.size for value in exact.values())
    if count > MOST_PARAMETERS:
        return None

    def rank_modulo(field: PrimeField, *, generic: bool) -> tuple[int, bool]:
        draw = random.Random(f"{seed}-{field.prime}-{generic}")
        theta = {
            name: _random(field, draw, value.shape) if generic else field.residues(value)
            for name, value in exact.items()
        }
        rank = matrix_rank(_tangent_matrix(field, layers, theta, count, draw), field)
        return rank, rank == count

    return PolynomialRank(
        largest_rank(lambda field: rank_modulo(field, generic=False), seed=seed),
        largest_rank(lambda field: rank_modulo(field, generic=True), seed=seed),
        _expected(layers, count),
    )


def _expected(layers: FullyConnected, count: int) -> int:
    """M less the hidden units, at most the dimension of the polynomials that can occur."""
    d, c = layers.sizes[0], layers.sizes[-1]
    degree = DEGREES[layers.activation] ** (layers.depth - 1)
    if any(layers.bias_pattern[:-1]):
        polynomials = math.comb(d + degree, degree)
    else:
        polynomials = math.comb(d + degree - 1, degree) + layers.bias_pattern[-1]
    return min(count - sum(layers.widths), c * polynomials)


def _random(field: PrimeField, draw: random.Random, shape: tuple[int, ...]) -> Residues:
    """Random residues."""
    return field.array([draw.randrange(field.prime) for _ in range(math.prod(shape))]).reshape(
        shape
    )


def _power(field: PrimeField, z: Residues, exponent: int) -> Residues:
    """z^exponent, elementwise."""
    out = z
    for _ in range(exponent - 1):
        out = field.times(out, z)
    return out


def _tangent_matrix(
    field: PrimeField,
    layers: FullyConnected,
    theta: Mapping[str, Residues],
    count: int,
    draw: random.Random,
) -> Residues:
    """Derivatives of all outputs at random inputs, (n c, M)."""
    degree, c = DEGREES[layers.activation], layers.sizes[-1]
    n = count // c + 4
    inputs, slopes = [_random(field, draw, (n, layers.sizes[0]))], []
    for weight, bias in _hidden_layers(layers):
        z = field.matrix_product(inputs[-1], np.ascontiguousarray(theta[weight].T))
        if bias is not None:
            z = field.plus(z, np.broadcast_to(theta[bias], z.shape))
        inputs.append(_power(field, z, degree))
        slope = _power(field, z, degree - 1)
        slopes.append(field.times(slope, np.array(degree)))
    rows = []
    for l in range(c):
        delta = np.zeros((n, c), dtype=field.dtype)
        delta[:, l] = 1
        parts = []
        for layer in reversed(range(layers.depth)):
            outer = field.times(delta[:, :, None], inputs[layer][:, None, :])
            parts.append(outer.reshape(n, -1))
            if layers.biases[layer] is not None:
                parts.append(delta)
            if layer:
                back = field.matrix_product(delta, theta[layers.weights[layer]])
                delta = field.times(back, slopes[layer - 1])
        rows.append(np.concatenate(parts, axis=1))
    return np.concatenate(rows)


def _hidden_layers(layers: FullyConnected) -> list[tuple[str, str | None]]:
    """Weights and biases of the hidden layers."""
    return list(zip(layers.weights[:-1], layers.biases[:-1], strict=True))
