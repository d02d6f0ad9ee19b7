"""Sweeps: what to compute, how to execute it, where results are kept."""

from llr.sweep._build import build_dataset, build_problem, optimizer_of
from llr.sweep._config import Config
from llr.sweep._grid import grid, single_run
from llr.sweep._load import load_config, parse_config
from llr.sweep._spec import SPEC_VERSION, RunSpec, TargetSpec

__all__ = [
    "SPEC_VERSION",
    "Config",
    "RunSpec",
    "TargetSpec",
    "build_dataset",
    "build_problem",
    "grid",
    "load_config",
    "optimizer_of",
    "parse_config",
    "single_run",
]
