"""Configs of experiments: the schema, defaults, contradictions, and loading from YAML."""

from llr.config._choices import (
    CONVOLUTIONS,
    FULLY_CONNECTED,
    NETWORKS,
    OPTIMIZER_ALIASES,
    OPTIMIZERS,
    WIDTHLESS,
    DistributionName,
    InitName,
    OptimizerName,
    input_shape,
    optimizer_name,
)
from llr.config._explain import KeyDescription, describe_keys, described_sections
from llr.config._load import completed, known_values, load_config, parse_config
from llr.config._overrides import Overrides, parsed_overrides
from llr.config._schema import Config, ExecutionConfig

__all__ = [
    "CONVOLUTIONS",
    "FULLY_CONNECTED",
    "NETWORKS",
    "OPTIMIZERS",
    "OPTIMIZER_ALIASES",
    "WIDTHLESS",
    "Config",
    "DistributionName",
    "ExecutionConfig",
    "InitName",
    "KeyDescription",
    "OptimizerName",
    "Overrides",
    "completed",
    "describe_keys",
    "described_sections",
    "input_shape",
    "known_values",
    "load_config",
    "optimizer_name",
    "parse_config",
    "parsed_overrides",
]
