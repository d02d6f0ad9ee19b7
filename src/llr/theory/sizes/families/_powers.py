r"""Sizes with the activation z^p: forms of degree p.

A unit (w, b) is a linear form L on R^D, D = d + 1 with a hidden bias (x_0 = 1), else d. With live
units L_1..L_r the tangent space contains S_1 L_1^(p-1) + ... + S_1 L_r^(p-1), S_1 all linear forms.

p = 2: that is S_1 V, V the span of the L_i, of dimension r D - r (r - 1) / 2 with r = dim V, and V
contains the support of the quadratic form: its rank gives the size, exactly.
p >= 3: it contains S_1 grad F, of which the dimension is a lower bound. Generic targets have
the dimension of Alexander and Hirschowitz at their own units, an upper bound.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np

from llr.errors import NotExpressibleError
from llr.theory.activations import Piecewise
from llr.theory.arithmetic import Floats, PrimeField, Residues, matrix_rank, random_primes
from llr.theory.sizes.families._least_units import LeastUnits, Student, dense_weights
from llr.theory.two_layer import TwoLayerNetwork

__all__ = ["degree_of", "power_units"]

MOST_FORMS = 2_000_000
"""Entries of the matrix of S_1 grad F up to which the lower bound is computed."""


def degree_of(student: Student) -> int | None:
    """P, if the activation is z^p, p >= 2."""
    kind = student.row.kind
    if not isinstance(kind, Piecewise) or kind.knots or len(kind.base) < 3:
        return None
    return len(kind.base) - 1 if not any(kind.base[:-1]) and kind.base[-1] == 1 else None


def power_units(student: Student, target: TwoLayerNetwork, degree: int) -> LeastUnits:
    """The least representation of a quadratic form, or bounds for higher degrees."""
    live = np.flatnonzero((target.units.output != 0).any(axis=1))
    weights, bias = dense_weights(target)[live], target.units.bias[live]
    output = target.units.output[live]
    constant = np.zeros(student.n_outputs) if target.output_bias is None else target.output_bias
    if not student.output_bias and constant.any() and student.hidden_bias:
        # The constant as a unit: 1^p times it.
        weights = np.concatenate([weights, np.zeros((1, student.input_size))])
        bias, output = np.append(bias, 1.0), np.concatenate([output, constant[None, :]])
        constant = constant * 0.0
    if degree == 2 and student.n_outputs == 1:
        return _quadratic(student, weights, bias, output[:, 0], float(constant[0]))
    return _bounds(student, weights, bias, output, constant, degree)


def _rank(build: Callable[[PrimeField], Residues]) -> int:
    """The largest rank modulo the primes."""
    fields = [PrimeField(prime) for prime in random_primes(0)]
    return max(matrix_rank(build(field), field) for field in fields)


def _gram(field: PrimeField, left: Floats, factor: Floats, right: Floats) -> Residues:
    """left^T diag(factor) right."""
    scaled = field.times(field.residues(factor)[:, None], field.residues(right))
    return field.matrix_product(np.ascontiguousarray(field.residues(left).T), scaled)


def _quadratic(
    student: Student, weights: Floats, bias: Floats, output: Floats, constant: float
) -> LeastUnits:
    """x^T A x + 2 v.x + q in as few squares as it takes."""
    d, lifted = student.input_size, np.concatenate([weights, bias[:, None]], axis=1)
    rank = _rank(lambda field: _gram(field, weights, output, weights))
    wide = _rank(lambda field: _gram(field, weights, output, lifted))
    full = _rank(lambda field: _gram(field, lifted, output, lifted))
    direct, v = wide == rank, weights.T @ (output * bias)
    if not student.hidden_bias and _rank(
        lambda field: _gram(field, weights, output, bias[:, None])
    ):
        raise NotExpressibleError(
            "the model must have hidden biases for this target, which has a linear part, got none. "
            "Build the model with hidden_bias=True."
        )
    values, vectors = np.linalg.eigh((weights * output[:, None]).T @ weights)
    order = np.argsort(-np.abs(values))[:rank]
    factor, rows = values[order], vectors[:, order].T
    along = rows @ v
    shift = along / factor if rank else np.zeros(0)
    left = float(output @ bias**2 - (factor @ shift**2 if rank else 0.0)) + constant
    squares, shifts, outputs = [*rows], [*shift], [*factor]
    affine = student.affine
    if not student.hidden_bias and not student.output_bias and full > rank:
        raise NotExpressibleError(
            "the model must have an output bias or hidden biases for this target, which has a "
            "constant part, got neither. Build the model with output_bias=True."
        )
    if not direct:  # 2 u.x + left = (u.x + s)^2 - (u.x + s - 1)^2
        u = v - along @ rows
        squares, shifts = [*squares, u, u], [*shifts, (left + 1) / 2, (left - 1) / 2]
        outputs, left = [*outputs, 1.0, -1.0], 0.0
        count = rank + 2
    elif student.output_bias or not student.hidden_bias or full == rank:
        count = rank
    else:
        squares, shifts, outputs = [*squares, np.zeros(d)], [*shifts, 1.0], [*outputs, left]
        count = rank + 1
    size = count * affine - count * (count - 1) // 2
    # With an output bias, 1 is there in any case; it lies in S_1 V if the support needs x_0.
    size += student.output_bias and direct
    return LeastUnits(
        np.array(squares).reshape(-1, d),
        np.array(shifts),
        np.array(outputs)[:, None] if outputs else np.zeros((0, 1)),
        np.array([left if student.output_bias else 0.0]),
        size,
        size,
        f"a quadratic form of rank {count}" if count else "the zero function or a constant",
    )


def _bounds(
    student: Student, weights: Floats, bias: Floats, output: Floats, constant: Floats, degree: int
) -> LeastUnits:
    """The merged target, and S_1 grad F from below."""
    forms, merged = _merged_forms(weights, bias, output, degree)
    kept_weights, kept_bias = forms[:, :-1], forms[:, -1]
    lower = student.free
    if len(merged):
        lower = max(_gradient_bound(student, forms, merged, degree), lower)
    return LeastUnits(
        kept_weights,
        kept_bias,
        merged,
        constant,
        lower,
        max(lower, (student.affine + student.n_outputs) * len(merged) + student.free),
        f"a form of degree {degree} in {len(merged)} powers",
        unsettled="the least number of powers, and their dimension, are not known in general",
    )


def _merged_forms(
    weights: Floats, bias: Floats, output: Floats, degree: int
) -> tuple[Floats, Floats]:
    """Proportional forms put together: (k, d + 1) forms and (k, c) coefficients."""
    lifted = np.concatenate([weights, bias[:, None]], axis=1)
    total: dict[tuple[Fraction, ...], tuple[int, list[Fraction]]] = {}
    for unit in np.flatnonzero(lifted.any(axis=1)).tolist():
        exact = [Fraction(v) for v in lifted[unit].tolist()]
        lead = next(v for v in exact if v)
        key = tuple(v / lead for v in exact)
        best, net = total.get(key, (unit, [Fraction(0)] * output.shape[1]))
        place = int(np.argmax(lifted[best] != 0))
        ratio = (lead / Fraction(lifted[best, place])) ** degree
        nets = [n + ratio * Fraction(a) for n, a in zip(net, output[unit].tolist(), strict=True)]
        total[key] = best, nets
    kept = [(unit, net) for unit, net in total.values() if any(net)]
    outputs = np.array([[float(v) for v in net] for _, net in kept])
    return lifted[[unit for unit, _ in kept]], outputs.reshape(len(kept), output.shape[1])


def _gradient_bound(student: Student, forms: Floats, net: Floats, degree: int) -> int:
    """Dimension of S_1 grad F, or what independent forms give, output biases counted."""
    d, c = student.input_size, student.n_outputs
    used = forms if student.hidden_bias else forms[:, :-1]
    homogeneous = student.hidden_bias and student.output_bias
    free = used[:, :d] if homogeneous else used  # derivatives that a constant does not change
    if _rank(lambda field: field.residues(free)) == len(forms):
        # Then L_i^(p-1) lies in the span of the gradient, and the S_1 L_i^(p-1) are independent.
        return len(forms) * used.shape[1] + student.free
    size = used.shape[1]
    monomials = list(combinations_with_replacement(range(size), degree))
    if len(monomials) * c * free.shape[1] * size > MOST_FORMS:
        return student.free + 1
    place = {m: i for i, m in enumerate(monomials)}
    return _rank(
        lambda field: _gradient_matrix(field, used, net, degree, place, free.shape[1], homogeneous)
    ) + (student.free if not homogeneous else 0)


def _gradient_matrix(
    field: PrimeField,
    forms: Floats,
    net: Floats,
    degree: int,
    place: dict[tuple[int, ...], int],
    n_derivatives: int,
    homogeneous: bool,
) -> Residues:
    """Rows x_s d_t F, in monomials of each output; x_0^p too where the output bias has it."""
    size, c, p = forms.shape[1], net.shape[1], field.prime
    lower = list(combinations_with_replacement(range(size), degree - 1))
    values = [[field.residue(Fraction(v)) for v in row] for row in forms.tolist()]
    outputs = [[field.residue(Fraction(v)) for v in row] for row in net.tolist()]
    width = len(place)
    rows = []
    for t in range(n_derivatives):
        derivative = [[_coefficient(values, outputs, l, t, m, p) for m in lower] for l in range(c)]
        for s in range(size):
            row = [0] * (width * c)
            for l in range(c):
                for m, v in zip(lower, derivative[l], strict=True):
                    row[l * width + place[tuple(sorted((*m, s)))]] = v
            rows.append(row)
    if homogeneous:
        last = place[(size - 1,) * degree]
        rows += [[int(i == l * width + last) for i in range(width * c)] for l in range(c)]
    return np.array(rows, dtype=field.dtype)


def _coefficient(
    values: list[list[int]], outputs: list[list[int]], l: int, t: int, m: tuple[int, ...], p: int
) -> int:
    """The coefficient of a monomial in sum_i a_i L_i,t L_i^(p-1), up to the multinomial factor."""
    repeats = 1
    for count in np.bincount(m).tolist():
        for k in range(2, count + 1):
            repeats *= k
    total = 0
    for row, a in zip(values, outputs, strict=True):
        term = a[l] * row[t]
        for s in m:
            term = term * row[s] % p
        total += term
    return total * pow(repeats, -1, p) % p
