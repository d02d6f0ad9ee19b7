"""Model rank of a fully connected network from the definition, in ball arithmetic.

The tangent matrix is written entry by entry with exact weights at random rational inputs, more rows
than parameters, in balls of 1,500 bits. Elimination with full pivoting counts the pivots that are
far above what the balls leave open; anything in between fails the reference itself.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

import flint
import torch
from torch import nn

BITS = 1500
KEPT, DROPPED = 1e-100, 1e-250


def _ball(value: float | Fraction) -> flint.arb:
    exact = Fraction(value)
    return flint.arb(flint.fmpq(exact.numerator, exact.denominator))


def _forward(name: str, z: flint.arb) -> tuple[flint.arb, flint.arb]:
    """Value and slope of the activation."""
    if name == "tanh":
        y = z.tanh()
        return y, 1 - y * y
    assert name == "sigmoid"
    y = 1 / (1 + (-z).exp())
    return y, y * (1 - y)


def tangent_rows(
    weights: Sequence[Sequence[Sequence[float]]],
    biases: Sequence[Sequence[float] | None],
    activation: str,
    x: Sequence[Fraction],
    slots: Sequence[str] | None = None,
) -> list[list[flint.arb]]:
    """Derivatives of every output by every weight and bias; layers of one slot are tied."""
    depth = len(weights)
    balls = [[[_ball(v) for v in row] for row in w] for w in weights]
    values = [[_ball(v) for v in x]]
    slopes: list[list[flint.arb]] = []
    for l in range(depth):
        bias = biases[l]
        z = [
            sum((w * y for w, y in zip(row, values[-1], strict=True)), flint.arb(0))
            + (0 if bias is None else _ball(bias[i]))
            for i, row in enumerate(balls[l])
        ]
        if l < depth - 1:
            pairs = [_forward(activation, v) for v in z]
            values.append([y for y, _ in pairs])
            slopes.append([s for _, s in pairs])
    rows = []
    for output in range(len(weights[-1])):
        delta = [flint.arb(int(k == output)) for k in range(len(weights[-1]))]
        parts: dict[str, list[flint.arb]] = {}
        for l in reversed(range(depth)):
            own = [d * y for d in delta for y in values[l]]
            if biases[l] is not None:
                own += delta
            slot = str(l) if slots is None else slots[l]
            known = parts.get(slot)
            parts[slot] = own if known is None else [a + b for a, b in zip(known, own, strict=True)]
            if l:
                delta = [
                    s * sum((balls[l][k][i] * delta[k] for k in range(len(delta))), flint.arb(0))
                    for i, s in enumerate(slopes[l - 1])
                ]
        rows.append([v for slot in sorted(parts) for v in parts[slot]])
    return rows


def ball_rank(rows: list[list[flint.arb]]) -> int:
    """Pivots of elimination with full pivoting."""
    rank = 0
    while rows and rows[0]:
        size, i, j = max(
            (float(abs(v).upper()), i, j) for i, row in enumerate(rows) for j, v in enumerate(row)
        )
        if size < DROPPED:
            break
        pivot_row = rows.pop(i)
        pivot = pivot_row.pop(j)
        assert size > KEPT, f"the reference cannot tell a pivot of {size:.1e} from 0"
        assert not pivot.contains(0)
        rank += 1
        for row in rows:
            factor = row.pop(j) / pivot
            for k, value in enumerate(pivot_row):
                row[k] -= factor * value
    return rank


def definition_rank(
    weights: Sequence[Sequence[Sequence[float]]],
    biases: Sequence[Sequence[float] | None],
    activation: str = "tanh",
    *,
    seed: int = 0,
    slots: Sequence[str] | None = None,
) -> int:
    """The model rank at these parameters, from more random inputs than parameters."""
    draw = random.Random(seed)
    d = len(weights[0][0])
    size = sum(len(w) * len(w[0]) for w in weights) + sum(len(b) for b in biases if b is not None)
    before, flint.ctx.prec = flint.ctx.prec, BITS
    try:
        rows = []
        for _ in range(size + 3):
            x = [Fraction(draw.randrange(-(10**6), 10**6), 4 * 10**5) for _ in range(d)]
            rows += tangent_rows(weights, biases, activation, x, slots)
        return ball_rank(rows)
    finally:
        flint.ctx.prec = before


def rank_of_layers(model: nn.Module, activation: str = "tanh", *, seed: int = 0) -> int:
    """The model rank of a module whose ``nn.Linear`` layers are all there is, in order."""
    linears = [m for m in model.modules() if isinstance(m, nn.Linear)]
    with torch.no_grad():
        weights = [linear.weight.double().tolist() for linear in linears]
        biases = [None if m.bias is None else m.bias.double().tolist() for m in linears]
    return definition_rank(weights, biases, activation, seed=seed)
