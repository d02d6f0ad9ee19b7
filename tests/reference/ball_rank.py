"""Model ranks of two-layer networks from the definition, in ball arithmetic.

The tangent matrix is written entry by entry at random rational inputs. Activations that are
piecewise polynomials with rational coefficients give rational entries, whose rank FLINT computes
exactly. Others are evaluated as balls of 2000 bits: a pivot counts if its ball excludes zero by
far, and what is left at the end must be balls around zero far smaller than any pivot.

Beside generic inputs there are inputs close to each kink's hyperplane, on both sides of it: a cell
between hyperplanes that no input meets would hide functions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from fractions import Fraction

import flint
from flint import arb, fmpq, fmpq_mat
from torch import nn

from llr.models import MLP, activation_of, two_layer_structure

BITS = 2000
KEPT, DROPPED = "1e-250", "1e-400"

FLAT = frozenset({"erf", "gelu", "gelu_tanh", "gaussian", "exp"})
"""Activations that vary by so many orders of magnitude that inputs must stay small."""

SMALL, ANY = [Fraction(1, 4)], [Fraction(s) for s in (1, 1, 4, 20)]
"""Sizes of the inputs."""

Pair = Callable[[fmpq], tuple[object, object]]


def rational(value: float | Fraction) -> fmpq:
    """The exact value of a number."""
    exact = Fraction(value)
    return fmpq(exact.numerator, exact.denominator)


def half(z: fmpq) -> arb:
    return arb(z) / 2


def logistic(z: fmpq) -> arb:
    return 1 / (1 + (-arb(z)).exp())


def softplus(z: fmpq) -> arb:
    return (1 + arb(z).exp()).log()


def silu(z: fmpq) -> tuple[object, object]:
    s = logistic(z)
    return z * s, s + z * s * (1 - s)


def gelu(z: fmpq) -> tuple[object, object]:
    cdf = (1 + (arb(z) / arb(2).sqrt()).erf()) / 2
    return z * cdf, cdf + z * (-(arb(z) ** 2) / 2).exp() / (2 * arb.pi()).sqrt()


def gelu_tanh(z: fmpq) -> tuple[object, object]:
    k, cubic = (2 / arb.pi()).sqrt(), fmpq(44715, 1000000)
    t = (k * (z + cubic * z**3)).tanh()
    return z * (1 + t) / 2, (1 + t) / 2 + z * (1 - t**2) * k * (1 + 3 * cubic * z**2) / 2


def mish(z: fmpq) -> tuple[object, object]:
    t = softplus(z).tanh()
    return z * t, t + z * (1 - t**2) * logistic(z)


def erf(z: fmpq) -> tuple[object, object]:
    return arb(z).erf(), 2 / arb.pi().sqrt() * (-(arb(z) ** 2)).exp()


def softsign(z: fmpq) -> tuple[object, object]:
    return z / (1 + abs(z)), 1 / (1 + abs(z)) ** 2


def tanh(z: fmpq) -> tuple[object, object]:
    t = arb(z).tanh()
    return t, 1 - t**2


def tanhshrink(z: fmpq) -> tuple[object, object]:
    t = arb(z).tanh()
    return z - t, t**2


def logsigmoid(z: fmpq) -> tuple[object, object]:
    return -softplus(-z), logistic(-z)


def exponential_linear(scale: fmpq, alpha: fmpq) -> Pair:
    def pair(z: fmpq) -> tuple[object, object]:
        if z > 0:
            return scale * z, scale
        e = arb(z).exp()
        return scale * alpha * (e - 1), scale * alpha * e

    return pair


def clipped(low: int, high: int, base: fmpq, slope: fmpq) -> Pair:
    """base + slope z between low and high, constant outside, slope 0 at the ends."""

    def pair(z: fmpq) -> tuple[object, object]:
        inside = min(max(z, fmpq(low)), fmpq(high))
        return base + slope * inside, slope if low < z < high else fmpq(0)

    return pair


def hardswish(z: fmpq) -> tuple[object, object]:
    if z <= -3:
        return fmpq(0), fmpq(0)
    return (z * (z + 3) / 6, z / 3 + fmpq(1, 2)) if z < 3 else (z, fmpq(1))


def softshrink(z: fmpq) -> tuple[object, object]:
    edge = fmpq(1, 2)
    if abs(z) <= edge:
        return fmpq(0), fmpq(0)
    return (z - edge if z > 0 else z + edge), fmpq(1)


def leaky_relu(z: fmpq) -> tuple[object, object]:
    slope = rational(0.01)
    return (z, fmpq(1)) if z > 0 else (slope * z, slope)


def gaussian(z: fmpq) -> tuple[object, object]:
    e = (-(arb(z) ** 2)).exp()
    return e, -2 * z * e


SELU = exponential_linear(rational(1.0507009873554805), rational(1.6732632423543772))

PAIRS: dict[str, Pair] = {
    "tanh": tanh,
    "sigmoid": lambda z: (logistic(z), logistic(z) * (1 - logistic(z))),
    "arctan": lambda z: (arb(z).atan(), 1 / (1 + z**2)),
    "erf": erf,
    "softsign": softsign,
    "tanhshrink": tanhshrink,
    "rational": lambda z: (z / (1 + z**2), (1 - z**2) / (1 + z**2) ** 2),
    "softplus": lambda z: (softplus(z), logistic(z)),
    "logsigmoid": logsigmoid,
    "silu": silu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "mish": mish,
    "relu": lambda z: (z, fmpq(1)) if z > 0 else (fmpq(0), fmpq(0)),
    "leaky_relu": leaky_relu,
    "abs": lambda z: (abs(z), fmpq((z > 0) - (z < 0))),
    "hardtanh": clipped(-1, 1, fmpq(0), fmpq(1)),
    "relu6": clipped(0, 6, fmpq(0), fmpq(1)),
    "hardsigmoid": clipped(-3, 3, fmpq(1, 2), fmpq(1, 6)),
    "hardswish": hardswish,
    "softshrink": softshrink,
    "elu": exponential_linear(fmpq(1), fmpq(1)),
    "celu": exponential_linear(fmpq(1), fmpq(1)),
    "selu": SELU,
    "sin": lambda z: (arb(z).sin(), arb(z).cos()),
    "cos": lambda z: (arb(z).cos(), -arb(z).sin()),
    "exp": lambda z: (arb(z).exp(), arb(z).exp()),
    "gaussian": gaussian,
    "square": lambda z: (z**2, 2 * z),
    "cube": lambda z: (z**3, 3 * z**2),
    "identity": lambda z: (z, fmpq(1)),
}
"""Value and slope at a rational number, by name."""

KINKS: dict[str, list[fmpq]] = {
    **{
        name: [fmpq(0)] for name in ("relu", "leaky_relu", "abs", "elu", "celu", "selu", "softsign")
    },
    "hardtanh": [fmpq(-1), fmpq(1)],
    "relu6": [fmpq(0), fmpq(6)],
    "hardsigmoid": [fmpq(-3), fmpq(3)],
    "hardswish": [fmpq(-3), fmpq(3)],
    "softshrink": [fmpq(-1, 2), fmpq(1, 2)],
}


class Network:
    """Units (coordinates, weights, bias), and where each of their numbers is a parameter."""

    def __init__(self, model: nn.Module) -> None:
        self.units: list[tuple[list[int], list[fmpq], fmpq]] = []
        self.places: list[tuple[list[int], int | None]] = []  # of the weights and of the bias
        self.first: dict[str, int] = {}
        self.count = 0
        for name, value in model.named_parameters():
            self.first[name] = self.count
            self.count += value.numel()
        own = {id(p): name for name, p in model.named_parameters()}
        alias = {name: own[id(p)] for name, p in model.named_parameters(remove_duplicate=False)}
        values = {n: p.detach().double().flatten().tolist() for n, p in model.named_parameters()}
        structure = two_layer_structure(model, activation=None)
        if structure is not None:
            names = structure.names._asdict()
            windows, channels = structure.windows, structure.channels
            shared, self.input_size = structure.shared, structure.input_size
            self.activation, n_outputs = structure.activation, 1
        else:
            first, last = ("layers.0", "layers.1") if isinstance(model, MLP) else ("0", "2")
            hidden, output = model.get_submodule(first), model.get_submodule(last)
            assert isinstance(hidden, nn.Linear)
            assert isinstance(output, nn.Linear)
            names = {
                "kernels": f"{first}.weight",
                "kernel_bias": f"{first}.bias",
                "output": f"{last}.weight",
                "output_bias": f"{last}.bias",
            }
            windows, channels = [tuple(range(hidden.in_features))], hidden.out_features
            shared, self.input_size = True, hidden.in_features
            n_outputs = output.out_features
            if isinstance(model, MLP):
                self.activation = model.activation
            else:
                self.activation = activation_of(model.get_submodule("1")).name
        named = {part: alias.get(name) if name else None for part, name in names.items()}
        self._add_units(named, values, windows, channels, shared)
        n = len(self.units)
        numbers = values[named["output"]]
        self.output = [
            [rational(v) for v in numbers[l * n : (l + 1) * n]] for l in range(n_outputs)
        ]
        self.first_output = self.first[named["output"]]
        bias_name = named["output_bias"]
        self.first_bias = None if bias_name is None else self.first[bias_name]

    def _add_units(self, named, values, windows, channels: int, shared: bool) -> None:
        """Every channel at every position."""
        kernels, biases = named["kernels"], named["kernel_bias"]
        size = len(windows[0])
        for channel in range(channels):
            for position, window in enumerate(windows):
                kernel = channel if shared else channel * len(windows) + position
                slots = [kernel * size + t for t in range(size)]
                bias, place = fmpq(0), None
                if biases is not None:
                    bias, place = rational(values[biases][kernel]), self.first[biases] + kernel
                weights = [rational(values[kernels][i]) for i in slots]
                self.units.append((list(window), weights, bias))
                self.places.append(([self.first[kernels] + i for i in slots], place))

    def rows(self, x: list[fmpq]) -> list[list[object]]:
        """The derivatives of each output by all parameters."""
        pair, n = PAIRS[self.activation], len(self.units)
        rows: list[list[object]] = [[fmpq(0)] * self.count for _ in self.output]
        for u, (window, weights, bias) in enumerate(self.units):
            seen = [x[t] for t in window]
            z = sum((w * v for w, v in zip(weights, seen, strict=True)), bias)
            value, slope = pair(z)
            places, bias_place = self.places[u]
            for l, row in enumerate(rows):
                a = self.output[l][u]
                row[self.first_output + l * n + u] += value
                if bias_place is not None:
                    row[bias_place] += a * slope
                for place, v in zip(places, seen, strict=True):
                    row[place] += a * slope * v
        if self.first_bias is not None:
            for l, row in enumerate(rows):
                row[self.first_bias + l] += fmpq(1)
        return rows


def ball_rank(model: nn.Module, *, seed: int = 0) -> int:
    """Rank of the tangent matrix at many random rational inputs."""
    network, draw = Network(model), random.Random(seed)
    scales = (
        [Fraction(1, 4)] if network.activation in FLAT else [Fraction(s) for s in (1, 1, 4, 20)]
    )
    inputs = [_point(draw, network.input_size, scales) for _ in range(network.count + 6)]
    per_side = 4 + network.input_size + network.count // 4
    for kink in KINKS.get(network.activation, []):
        for window, weights, bias in network.units:
            for _ in range(per_side if any(w != 0 for w in weights) else 0):
                inputs.extend(_beside(draw, network.input_size, window, weights, bias - kink))
    with flint.ctx.workprec(BITS):
        rows = [row for x in inputs for row in network.rows(x)]
        if all(isinstance(entry, fmpq) for row in rows for entry in row):
            return fmpq_mat(rows).rank() if rows and rows[0] else 0
        return count_pivots([[arb(entry) for entry in row] for row in rows])


def _point(draw: random.Random, size: int, scales: Sequence[Fraction]) -> list[fmpq]:
    """A random rational input, of a random size."""
    scale = rational(draw.choice(scales))
    return [fmpq(draw.randrange(-(10**6), 10**6), 333_333) * scale for _ in range(size)]


def _beside(
    draw: random.Random, size: int, window: list[int], weights: list[fmpq], offset: fmpq
) -> list[list[fmpq]]:
    """Two inputs close to a random point of the hyperplane, one on each side."""
    x = _point(draw, size, ANY)
    normal = [fmpq(0)] * size
    for t, w in zip(window, weights, strict=True):
        normal[t] = w
    square = sum((w * w for w in normal), fmpq(0))
    distance = sum((w * v for w, v in zip(normal, x, strict=True)), offset) / square
    step = fmpq(draw.randrange(1, 10**4), 10**7)
    return [
        [v - (distance - side * step) * w for v, w in zip(x, normal, strict=True)]
        for side in (1, -1)
    ]


def count_pivots(rows: list[list[arb]]) -> int:
    """Gaussian elimination on balls; every pivot must stand out from what is dropped."""
    rest, rank = rows, 0
    while rest and rest[0]:
        places = ((i, j) for i, row in enumerate(rest) for j in range(len(row)))
        i, j = max(places, key=lambda place: abs(rest[place[0]][place[1]].mid()))
        pivot_row = rest.pop(i)
        pivot = pivot_row.pop(j)
        if abs(pivot) < arb(DROPPED):
            break
        assert abs(pivot) > arb(KEPT), f"the pivot {pivot} cannot be told from zero"
        rank += 1
        for row in rest:
            factor = row.pop(j) / pivot
            row[:] = [v - factor * p for v, p in zip(row, pivot_row, strict=True)]
    return rank
