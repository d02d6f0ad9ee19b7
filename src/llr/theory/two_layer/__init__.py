"""Two-layer networks: hidden units, their groups, coefficients and reduced functions."""

from llr.theory.two_layer._constant_units import piecewise_at
from llr.theory.two_layer._hidden_units import HiddenUnits, TwoLayerNetwork
from llr.theory.two_layer._read_network import read_structure, read_two_layer
from llr.theory.two_layer._reduced_function import (
    Neuron,
    NeuronKey,
    TwoLayerFunction,
    merge_units,
    reduced_function,
)
from llr.theory.two_layer._two_layer_rank import TwoLayerRank, two_layer_rank
from llr.theory.two_layer._unit_groups import (
    CONSTANT,
    group_hyperplanes,
    group_units,
)

__all__ = [
    "CONSTANT",
    "HiddenUnits",
    "Neuron",
    "NeuronKey",
    "TwoLayerFunction",
    "TwoLayerNetwork",
    "TwoLayerRank",
    "group_hyperplanes",
    "group_units",
    "merge_units",
    "piecewise_at",
    "read_structure",
    "read_two_layer",
    "reduced_function",
    "two_layer_rank",
]
