"""Fully connected networks of any depth; exact ranks and irreducible forms of tanh networks."""

from llr.theory.deep._deep_intrinsic_form import (
    DeepIntrinsicForm,
    DeepUnitFate,
    deep_intrinsic_form,
)
from llr.theory.deep._deep_rank import deep_rank
from llr.theory.deep._fully_connected_layers import FullyConnected, read_fully_connected
from llr.theory.deep._irreducible_form import IrreducibleNetwork, irreducible_form
from llr.theory.deep._polynomial_rank import PolynomialRank, polynomial_rank
from llr.theory.deep._tanh_network import TanhNetwork, read_tanh_network, tanh_network

__all__ = [
    "DeepIntrinsicForm",
    "DeepUnitFate",
    "FullyConnected",
    "IrreducibleNetwork",
    "PolynomialRank",
    "TanhNetwork",
    "deep_intrinsic_form",
    "deep_rank",
    "irreducible_form",
    "polynomial_rank",
    "read_fully_connected",
    "read_tanh_network",
    "tanh_network",
]
