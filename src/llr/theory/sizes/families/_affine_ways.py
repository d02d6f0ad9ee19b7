"""Ways to express the affine part of a target by opposite pairs and constant units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from llr.errors import NotExpressibleError
from llr.theory.arithmetic import Floats, PrimeField, Residues, matrix_rank, random_primes
from llr.theory.sizes.families._constant_cost import constant_unit
from llr.theory.sizes.families._constant_part import activation_at
from llr.theory.sizes.families._least_units import Student
from llr.theory.sizes.families._oriented_classes import Flip, Oriented

__all__ = ["Way", "constant_ways", "pair_ways", "with_constant_unit"]

NOISE = 1e-12
"""Shares below this, relative to the largest one, are rounding."""


@dataclass(frozen=True)
class Way:
    """One way to express a target.

    Attributes:
        extra: its cost beyond the k units of the classes.
        weights: (n, d).
        bias: (n,).
        output: (n, c).
        constant: (c,), what is left to the output biases.
        note: why no float attains the cost.
    """

    extra: int
    weights: Floats
    bias: Floats
    output: Floats
    constant: Floats
    note: str = ""


def constant_ways(student: Student, form: Oriented, flip: Flip, start: Way) -> Iterator[Way]:
    """A constant (c,) in a network of sigmoids: in opposite pairs, or in a unit of its own.

    (1 + t) alpha sigma(z) + t alpha sigma(-z) = alpha sigma(z) + t c0 alpha, whose span with those
    of other classes is that of the alphas; it adds 1 for each output.
    """
    missing = start.constant / float(flip.constant)
    parts = [list(form.part.rational), *form.part.values.values()]
    if _in_span(form.net, [vector for vector in parts if any(vector)]):
        shares = _shares(form.output, missing)
        pairs = np.flatnonzero(np.abs(shares) > NOISE * np.abs(shares).max())
        moved = shares[:, None] * form.output
        yield Way(
            student.n_outputs,
            np.concatenate([start.weights, -start.weights[pairs]]),
            np.append(start.bias, -start.bias[pairs]),
            np.concatenate([start.output + moved, moved[pairs]]),
            start.constant * 0.0,
        )
    yield with_constant_unit(student, start)


def pair_ways(student: Student, form: Oriented, flip: Flip, start: Way, unit: int) -> Iterator[Way]:
    """An affine part in a network of ramps: pairs in the classes, or in one more class.

    (a - t / c1) sigma(z) + (t / c1) sigma(-z) = a sigma(z) + t z.
    """
    nonzero, _ = form.part.decide()
    c, more = student.n_outputs, not student.output_bias and (student.hidden_bias or nonzero)
    affine = student.input_size + more  # for one output; for several the rank itself is taken
    slope = np.array([[float(v) for v in row] for row in form.slope])
    ratio = float(flip.slope)
    if len(form) and _in_span(form.weights, form.slope):
        shares = _shares(form.weights, slope)  # (k, c)
        pairs = np.flatnonzero(np.abs(shares).max(axis=1) > NOISE * np.abs(shares).max())
        back = shares / ratio
        way = Way(
            affine,
            np.concatenate([start.weights, -start.weights[pairs]]),
            np.append(start.bias, -start.bias[pairs]),
            np.concatenate([start.output - back, back[pairs]]),
            start.constant - form.bias @ shares,
        )
        yield _settled(student, way)
        if c > 1:
            return
    if c > 1:
        yield from _pairs_of_outputs(student, start, slope, ratio, affine + unit)
        return
    # One more class: (z - 0 sigma) = (sigma(-z) - sigma(z)) / c1 with z = slope . x + constant.
    b = float(start.constant[0]) if student.hidden_bias and not student.output_bias else 0.0
    way = Way(
        affine + unit,
        np.concatenate([start.weights, slope, -slope]),
        np.concatenate([start.bias, [b, -b]]),
        np.concatenate([start.output, [[-1 / ratio], [1 / ratio]]]),
        start.constant - b,
    )
    yield _settled(student, way)


def _pairs_of_outputs(
    student: Student, start: Way, slope: Floats, ratio: float, extra: int
) -> Iterator[Way]:
    """A class of its own for the linear part of each output that has one."""
    rows = np.flatnonzero(slope.any(axis=1))
    signs = np.zeros((len(rows), student.n_outputs))
    signs[np.arange(len(rows)), rows] = 1 / ratio
    way = Way(
        extra,
        np.concatenate([start.weights, slope[rows], -slope[rows]]),
        np.concatenate([start.bias, np.zeros(2 * len(rows))]),
        np.concatenate([start.output, -signs, signs]),
        start.constant,
    )
    yield _settled(student, way)


def _settled(student: Student, way: Way) -> Way:
    """The way with its constant in a unit, if it has to be; 1 and x_t are there already."""
    size = 1 + float(np.abs(way.output).max(initial=0.0) * (1 + np.abs(way.bias).max(initial=0.0)))
    if student.output_bias or bool((np.abs(way.constant) <= NOISE * size).all()):
        return way
    bias = 1.0 if student.hidden_bias else 0.0
    value = activation_at(student.row, bias)
    if value == 0:
        raise NotExpressibleError(
            "the model must have an output bias or hidden biases for the constant part "
            f"{float(way.constant[0]):g} of this target, got neither. "
            "Build the model with output_bias=True or hidden_bias=True."
        )
    return _append(student, way, 0, bias, value, "")


def with_constant_unit(student: Student, way: Way) -> Way:
    """A way with its constant in a unit of its own, which adds 1 for each output, and x_t."""
    extra = constant_unit(student, float(way.constant[0]))
    value = activation_at(student.row, extra.bias)
    return _append(student, way, extra.upper, extra.bias, value, extra.note)


def _append(student: Student, way: Way, extra: int, bias: float, value: float, note: str) -> Way:
    """A way with one constant unit more."""
    return Way(
        way.extra + extra,
        np.concatenate([way.weights, np.zeros((1, student.input_size))]),
        np.append(way.bias, bias),
        np.concatenate([way.output, (way.constant / value)[None, :]]),
        way.constant * 0.0,
        note,
    )


def _in_span(
    rows: Floats | Sequence[Sequence[Fraction]], vectors: Sequence[Sequence[Fraction]]
) -> bool:
    """Whether the vectors are combinations of the rows, modulo random primes."""

    def residues(field: PrimeField, matrix: Floats | Sequence[Sequence[Fraction]]) -> Residues:
        if isinstance(matrix, np.ndarray):
            return field.residues(matrix)
        return np.array([[field.residue(v) for v in row] for row in matrix], dtype=field.dtype)

    ranks = []
    for prime in random_primes(0):
        field = PrimeField(prime)
        small = residues(field, rows)
        large = np.concatenate([small, residues(field, vectors)])
        ranks.append((matrix_rank(small, field), matrix_rank(large, field)))
    return max(r for r, _ in ranks) == max(r for _, r in ranks)


def _shares(rows: Floats, wanted: Floats) -> Floats:
    """Factors (k,) or (k, c) of the rows (k, d) with a given sum, few of them not zero."""
    basis: list[int] = []
    rest = rows.astype(np.float64)
    largest = float(np.square(rows).sum(axis=1).max())
    while len(basis) < min(rows.shape):
        sizes = np.square(rest).sum(axis=1)
        best = int(np.argmax(sizes))
        if sizes[best] <= NOISE * largest:
            break
        basis.append(best)
        direction = rest[best] / np.sqrt(sizes[best])
        rest = rest - np.outer(rest @ direction, direction)
    shares = np.zeros((len(rows), *wanted.shape[:-1]))
    shares[basis] = np.linalg.lstsq(rows[basis].T, wanted.T, rcond=None)[0]
    return shares
