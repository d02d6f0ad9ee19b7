"""Exact ranks of two-layer networks with any activation in the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llr.theory.activations import ActivationRow
from llr.theory.arithmetic import PrimeField, SparseMatrix, sparse_rank
from llr.theory.two_layer._atoms import Atoms, atoms_of
from llr.theory.two_layer._coefficient_matrix import coefficient_matrix
from llr.theory.two_layer._constant_units import ConstantValues, degree_bits
from llr.theory.two_layer._hidden_units import TwoLayerNetwork

__all__ = ["TwoLayerRank", "two_layer_rank"]

INDEPENDENT = frozenset({"softplus", "logsigmoid", "arctan", "erf", "gelu", "gelu_tanh"})
"""Activations whose values at rationals are not rational in one transcendental number."""

INDEPENDENCE = (
    "the values sigma(b) of constant units at different |b| satisfy no algebraic relation with "
    "rational coefficients (a conjecture of Schanuel's type)"
)

ARCTANGENTS = (
    "the values arctan(b) of constant units at different |b| satisfy no rational relation; some "
    "do, such as 3 arctan 1 = arctan 2 + arctan 3, and then the rank may be too large"
)


@dataclass(frozen=True)
class TwoLayerRank:
    """An exact rank with what it rests on.

    Attributes:
        rank: the model rank.
        atoms: the atoms of the units.
        assumes: conjectures and stated properties; empty where the rank is proved.
    """

    rank: int
    atoms: Atoms
    assumes: tuple[str, ...]


def two_layer_rank(network: TwoLayerNetwork, row: ActivationRow, *, seed: int = 0) -> TwoLayerRank:
    """The rank of the coefficients of the tangent functions in independent functions."""
    units, tied = network.units, bool(network.tied)
    atoms = atoms_of(row, units)

    def build(field: PrimeField) -> SparseMatrix:
        known = ConstantValues(row, units.bias, field, exact=tied, seed=seed)
        return coefficient_matrix(network, atoms, known)

    bits = degree_bits(row, units.bias, exact=tied)
    rank = sparse_rank(build, degree_bits=bits, seed=seed)
    return TwoLayerRank(rank, atoms, (*row.assumes, *_conjectures(network, row)))


def _conjectures(network: TwoLayerNetwork, row: ActivationRow) -> tuple[str, ...]:
    """What the values of several constant units with tied parameters are taken to satisfy."""
    constant = ~(network.units.weights != 0).any(axis=1)
    several = len(np.unique(np.abs(network.units.bias[constant]))) > 1
    needed = bool(network.tied) and several and (row.name in INDEPENDENT or bool(row.assumes))
    return (ARCTANGENTS if row.name == "arctan" else INDEPENDENCE,) if needed else ()
