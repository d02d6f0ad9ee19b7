r"""The tangent functions of a two-layer network in independent functions.

Write a hidden unit as sigma(z), z = w.x + b, with w padded to the whole input. sigma(z) and
sigma'(z) are combinations of atoms times powers of z (see ``_atoms``), so every tangent function is
a combination of functions ATOM x MONOMIAL, which are linearly independent (docs/theory has the
proof for each activation):

* d/da of a unit is sigma(z);
* d/db of a kernel is the sum over its units of a sigma'(z);
* d/dw_t of a kernel is the sum over its units of a sigma'(z) x_(coordinate of t in the window);
* d/dc is 1.

So the model rank is the rank of the matrix of the coefficients. A parameter that is used twice has
the sum of the columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from llr.errors import InvalidInputError
from llr.theory.arithmetic import Integers, PrimeField, Residues, SparseMatrix
from llr.theory.two_layer._atoms import Atoms, Term
from llr.theory.two_layer._constant_units import ConstantValues
from llr.theory.two_layer._hidden_units import PADDING, TwoLayerNetwork

__all__ = ["coefficient_matrix", "first_columns"]


@dataclass(frozen=True)
class _Product:
    """Terms of one power, multiplied out: atom x coefficient x monomial, (N, k) each.

    Monomials are coordinates (N, k, degree), 0 for the constant 1 and t + 1 for x_t.
    """

    monomials: Integers
    coefficients: Residues


def coefficient_matrix(
    network: TwoLayerNetwork, atoms: Atoms, known: ConstantValues
) -> SparseMatrix:
    """Coefficients, modulo p, of the tangent functions (columns) in the independent ones (rows)."""
    field, units = known.field, network.units
    matrix, columns = SparseMatrix(field), first_columns(network)
    terms = atoms.terms(field, known)
    degree = 1 + max((term.power for term in (*terms.value, *terms.slope)), default=0)
    rows = _Rows(units.output.shape[1], network.input_size, degree)
    rows.check(atoms.count)
    powers = _powers_of_z(network, field, degree - 1)
    n, c = units.output.shape
    constant = np.zeros((n, 1, 1), dtype=np.int64)
    inputs = np.where(units.coordinates == PADDING, 0, units.coordinates + 1)[:, :, None]
    inside = units.coordinates != PADDING
    size = units.weights.shape[1]
    for l in range(c):
        if "output" in network.trainable:
            column = columns["output"] + l * n + np.arange(n)[:, None]
            for term in terms.value:
                _add(matrix, rows, l, term, powers[term.power], constant, column, None)
        scaled = _times_output(terms.slope, field, field.residues(units.output[:, l]))
        for term in scaled:
            if "kernel_bias" in network.trainable:
                column = columns["kernel_bias"] + units.kernel[:, None]
                _add(matrix, rows, l, term, powers[term.power], constant, column, None)
            if "kernels" in network.trainable:
                column = columns["kernels"] + units.kernel[:, None] * size + units.slots
                _add(matrix, rows, l, term, powers[term.power], inputs, column, inside)
        if "output_bias" in network.trainable:
            place = np.array([columns["output_bias"] + l])
            matrix.add(rows.one(l), place, field.array([1]))
    return matrix


def first_columns(network: TwoLayerNetwork) -> dict[str, int]:
    """The first column of each of the four weights; tied ones share their columns."""
    n, c = network.units.output.shape
    sizes = {
        "kernels": n * network.units.weights.shape[1],
        "kernel_bias": n,
        "output": n * c,
        "output_bias": c,
    }
    starts = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
    return {part: starts[network.tied.get(part, part)] for part in sizes}


@dataclass(frozen=True)
class _Rows:
    """Numbers of the rows: output, atom and monomial."""

    n_outputs: int
    input_size: int
    degree: int

    def check(self, n_atoms: int) -> None:
        """Refuse monomials whose numbers do not fit into 63 bits."""
        if n_atoms * self.n_outputs * (self.input_size + 1) ** self.degree >= 2**63:
            raise InvalidInputError(
                f"the monomials of degree {self.degree} in {self.input_size} inputs must be fewer "
                "than 2^63 over the number of atoms, got more. Use llr.model_rank, which measures."
            )

    def of(self, l: int, atom: Integers, monomials: Integers) -> Integers:
        """Row numbers; monomials (..., degree) are read as sorted digits."""
        base = self.input_size + 1
        code = np.zeros(monomials.shape[:-1], dtype=np.int64)
        for digit in np.moveaxis(np.sort(monomials, axis=-1), -1, 0):
            code = code * base + digit
        return (atom * self.n_outputs + l) * base**self.degree + code

    def one(self, l: int) -> Integers:
        """The row of the constant function 1."""
        return np.array([l * (self.input_size + 1) ** self.degree])


def _times_output(terms: Iterable[Term], field: PrimeField, output: Residues) -> list[Term]:
    """Terms times the output weight of their unit."""
    return [Term(term.atom, term.power, field.times(term.coefficient, output)) for term in terms]


def _powers_of_z(network: TwoLayerNetwork, field: PrimeField, highest: int) -> list[_Product]:
    """z^0, z^1, ... multiplied out."""
    units = network.units
    n, s = units.weights.shape
    one = field.array([1])
    powers = [
        _Product(
            np.zeros((n, 1, 0), dtype=np.int64), np.broadcast_to(one, (n, 1)).astype(field.dtype)
        )
    ]
    shifted = np.where(units.coordinates == PADDING, 0, units.coordinates + 1)
    letters = np.concatenate([np.zeros((n, 1), dtype=np.int64), shifted], axis=1)
    factors = field.residues(np.concatenate([units.bias[:, None], units.weights], axis=1))
    for _ in range(highest):
        before = powers[-1]
        k = before.monomials.shape[1]
        monomials = np.concatenate(
            [
                np.repeat(before.monomials, s + 1, axis=1),
                np.tile(letters, (1, k))[:, :, None],
            ],
            axis=2,
        )
        coefficients = field.times(
            np.repeat(before.coefficients, s + 1, axis=1), np.tile(factors, (1, k))
        )
        powers.append(_Product(monomials, coefficients))
    return powers


def _add(
    matrix: SparseMatrix,
    rows: _Rows,
    l: int,
    term: Term,
    power: _Product,
    extra: Integers,
    column: Integers,
    inside: Integers | None,
) -> None:
    """Add coefficient x atom x z^power x (1 or x_t), (N, k, s) entries, without the zeros."""
    used = np.flatnonzero(term.coefficient != 0)
    if not len(used):
        return
    field = matrix.field
    k, s = power.monomials.shape[1], extra.shape[1]
    step = max(1, 2**22 // (k * s * rows.degree))
    for start in range(0, len(used), step):
        u = used[start : start + step]
        values = field.times(term.coefficient[u, None], power.coefficients[u])
        shape = (len(u), k, s)
        monomials = np.zeros((*shape, rows.degree), dtype=np.int64)
        monomials[..., : term.power] = power.monomials[u][:, :, None, :]
        monomials[..., term.power] = extra[u][:, None, :, 0]
        row = rows.of(l, term.atom[u, None, None], monomials)
        keep = np.broadcast_to((values != 0)[:, :, None], shape)
        if inside is not None:
            keep = keep & inside[u][:, None, :]
        matrix.add(
            row[keep],
            np.broadcast_to(column[u][:, None, :], shape)[keep],
            np.broadcast_to(values[:, :, None], shape)[keep],
        )
