"""Random two-layer targets, and random other representations of the same function."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from llr.models import ACTIVATIONS, MLP, TwoLayerMLP
from llr.theory.activations import (
    ROWS,
    Exponential,
    ExponentialLinear,
    Gaussian,
    Piecewise,
    Smooth,
    Wave,
)

WEIGHTS = (1.0, -1.0, 0.5, 2.0, -1.5)
BIASES = (0.0, 0.5, -0.5, 1.0, -2.0)
CHANGES = ("none", "none", "flip", "flip", "pair", "constant", "same frequency", "parallel")


@dataclass
class Units:
    """Units (w, b, a) of a network with c outputs, and its output biases."""

    d: int
    c: int
    hidden_bias: bool
    output_bias: bool
    units: list[tuple[list[float], float, list[float]]] = field(default_factory=list)
    constant: list[float] = field(default_factory=list)

    def build(self, activation: str, extra: int = 0) -> tuple[MLP | TwoLayerMLP, dict[str, Tensor]]:
        """A model with room for so many units more, and the parameters, filled with null units."""
        m = max(len(self.units) + extra, 1)
        biases = {"hidden_bias": self.hidden_bias, "output_bias": self.output_bias}
        kind = {"activation": activation, **biases}
        names = ("layers.0", "layers.1")
        if self.c == 1:
            model, names = TwoLayerMLP(self.d, width=m, **kind), ("hidden", "output")
        else:
            model = MLP(self.d, widths=[m], output_dim=self.c, **kind)
        padded = [*self.units, *[([0.0] * self.d, 0.0, [0.0] * self.c)] * (m - len(self.units))]
        params = {
            f"{names[0]}.weight": torch.tensor([w for w, _, _ in padded]).double(),
            f"{names[1]}.weight": torch.tensor([a for _, _, a in padded]).double().T.contiguous(),
        }
        if self.hidden_bias:
            params[f"{names[0]}.bias"] = torch.tensor([b for _, b, _ in padded]).double()
        if self.output_bias:
            params[f"{names[1]}.bias"] = torch.tensor(self.constant).double()
        model.load_state_dict(params)
        return model, params

    def at(self, activation: str, x: Tensor) -> Tensor:
        """Values (n, c)."""
        out = torch.tensor([self.constant or [0.0] * self.c]).double().repeat(len(x), 1)
        for w, b, a in self.units:
            z = x @ torch.tensor(w).double() + b
            out += ACTIVATIONS[activation].function(z)[:, None] * torch.tensor(a).double()
        return out


def random_target(activation: str, seed: int) -> Units:
    """A few units, some of them flipped, paired or constant."""
    draw = random.Random(f"target-{activation}-{seed}")
    c = 2 if draw.random() < 0.25 else 1
    target = Units(draw.randint(1, 2), c, draw.random() < 0.7, draw.random() < 0.4)
    for _ in range(draw.randint(0, 3)):
        target.units.append(_unit(draw, target))
        w, b, _ = target.units[-1]
        change = draw.choice(CHANGES)
        if change in ("flip", "pair"):
            a = _outputs(draw, c)
            copies = [target.units.pop()] if change == "pair" else []
            target.units += [*copies, ([-v for v in w], -b, a)]
        if change == "constant":
            target.units.append(([0.0] * target.d, _bias(draw, target), _outputs(draw, c)))
        if change == "same frequency":
            target.units.append((w, _bias(draw, target), _outputs(draw, c)))
        if change == "parallel":
            k = draw.choice([2.0, -2.0, 0.5])
            target.units.append(([k * v for v in w], k * b, _outputs(draw, c)))
    if target.output_bias:
        target.constant = [draw.choice([0.0, 1.0, -0.5]) for _ in range(c)]
    return target


def _outputs(draw: random.Random, c: int) -> list[float]:
    return [draw.choice(WEIGHTS) for _ in range(c)]


def _bias(draw: random.Random, target: Units) -> float:
    return draw.choice(BIASES) if target.hidden_bias else 0.0


def _unit(draw: random.Random, target: Units) -> tuple[list[float], float, list[float]]:
    w = [draw.choice(WEIGHTS) for _ in range(target.d)]
    return w, _bias(draw, target), _outputs(draw, target.c)


def other_representation(activation: str, target: Units, seed: int) -> Units:
    """The same function in other units: split, turned, rescaled, silent or cancelling ones."""
    draw = random.Random(f"other-{activation}-{seed}")
    kind, d, c = ROWS[activation].kind, target.d, target.c
    out = Units(d, c, target.hidden_bias, target.output_bias, [], list(target.constant))
    linear, constant = np.zeros((c, d)), np.zeros(c)
    for w, b, a in target.units:
        parts = [a]
        if draw.random() < 0.4:
            share = draw.choice([0.5, 2.0, -1.0, 0.25])
            parts = [[share * v for v in a], [(1 - share) * v for v in a]]
        for part in parts:
            unit, rest = _moved(draw, activation, (w, b, part))
            out.units += unit
            linear += rest[0]
            constant += rest[1]
    if linear.any():
        slope = -1.0  # softplus, SiLU, GELU, ReLU: z = sigma(z) - sigma(-z)
        slope = -1.01 if activation == "leaky_relu" else slope
        for l in np.flatnonzero(linear.any(axis=1)).tolist():
            row = linear[l].tolist()
            e = [float(i == l) / -slope for i in range(c)]
            out.units += [(row, 0.0, e), ([-v for v in row], 0.0, [-v for v in e])]
    if constant.any():
        _put_constant(draw, activation, out, constant)
    silent = draw.random()
    if silent < 0.3 and out.units:
        w, b, _ = draw.choice(out.units)
        out.units.append((w, b, [0.0] * c))
    elif silent < 0.5:
        w, b, _ = _unit(draw, target)
        a = _outputs(draw, c)
        out.units += [(w, b, a), (w, b, [-v for v in a])]
    assert isinstance(kind, (Smooth, Piecewise, Wave, Exponential, ExponentialLinear, Gaussian))
    return out


def _put_constant(draw: random.Random, activation: str, out: Units, constant: np.ndarray) -> None:
    """A constant vector, in the output biases or in some unit."""
    if out.output_bias:
        out.constant = [float(u + v) for u, v in zip(out.constant, constant, strict=True)]
        return
    if activation in ("sigmoid", "hardsigmoid"):  # sigma(z) + sigma(-z) = 1
        w, b, _ = _unit(draw, out)
        if out.units and draw.random() < 0.5:
            w, b, _ = draw.choice(out.units)
        a = [float(v) for v in constant]
        out.units += [(w, b, a), ([-v for v in w], -b, a)]
        return
    b = 1.0 if out.hidden_bias else 0.0
    value = float(ACTIVATIONS[activation].function(torch.tensor(b).double()))
    out.units.append(([0.0] * out.d, b, [float(v) / value for v in constant]))


def _moved(
    draw: random.Random, activation: str, unit: tuple[list[float], float, list[float]]
) -> tuple[list[tuple[list[float], float, list[float]]], tuple[np.ndarray, np.ndarray]]:
    """A unit in another form, and the affine function (c, d), (c,) that this leaves over."""
    w, b, a = unit
    rest = np.zeros((len(a), len(w))), np.zeros(len(a))
    kind = ROWS[activation].kind
    back = ([-v for v in w], -b)
    if draw.random() < 0.5 or not any(w):
        return [unit], rest
    if isinstance(kind, Smooth) and kind.symmetry is not None:
        s = kind.symmetry
        # sigma(z) = s.sign sigma(-z) + constant - slope z
        linear = -float(s.slope) * np.outer(a, w)
        constant = np.array(a) * (float(s.constant) - float(s.slope) * b)
        return [(*back, [s.sign * v for v in a])], (linear, constant)
    if isinstance(kind, Gaussian) or activation in ("abs", "cos", "square"):
        return [(*back, a)], rest
    if activation in ("sin", "hardtanh", "softshrink", "cube"):
        return [(*back, [-v for v in a])], rest
    if activation in ("relu", "leaky_relu"):
        if draw.random() < 0.5:
            return [([2 * v for v in w], 2 * b, [v / 2 for v in a])], rest
        slope = 1.01 if activation == "leaky_relu" else 1.0  # sigma(z) = sigma(-z) + slope z
        return [(*back, a)], (slope * np.outer(a, w), slope * np.array(a) * b)
    return [unit], rest
