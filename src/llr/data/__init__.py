"""Targets, inputs and data sets, each drawn from a named stream of a seed."""

from llr.data._dataset import Dataset, make_dataset
from llr.data._inputs import (
    Distribution,
    all_entries,
    grid_side,
    sample_entries,
    sample_inputs,
    sample_normal,
)
from llr.data._matrices import PAPER_MATRICES
from llr.data._network_of_weights import module_from_weights
from llr.data._targets import (
    RANDOM_TARGET_MODELS,
    TARGET_NAMES,
    RandomTargetModel,
    TargetName,
    make_target,
    matrix_target,
)
from llr.data._torch_file import load_torch_file
from llr.data._weights_file import read_weights

__all__ = [
    "PAPER_MATRICES",
    "RANDOM_TARGET_MODELS",
    "TARGET_NAMES",
    "Dataset",
    "Distribution",
    "RandomTargetModel",
    "TargetName",
    "all_entries",
    "grid_side",
    "load_torch_file",
    "make_dataset",
    "make_target",
    "matrix_target",
    "module_from_weights",
    "read_weights",
    "sample_entries",
    "sample_inputs",
    "sample_normal",
]
