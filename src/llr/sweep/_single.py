"""The single run that a config describes: trained, and kept in a file of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llr._files import made_folder, written_aside
from llr._show import to_json
from llr.config import Config
from llr.sweep._build_problem import build_problem, optimizer_of
from llr.sweep._environment import describe_environment
from llr.sweep._folder import sweep_folder
from llr.sweep._grid import single_run
from llr.sweep._paths import SweepPaths
from llr.sweep._spec import RunSpec
from llr.training import RunResult, train_batch

__all__ = ["SINGLE_VERSION", "SingleRun", "train_single"]

SINGLE_VERSION = 1
"""Version of a single run's file."""


@dataclass(frozen=True)
class SingleRun:
    """A run that was trained alone.

    Attributes:
        spec: what was computed.
        result: how it ended.
        file: where it is kept.
    """

    spec: RunSpec
    result: RunResult = field(repr=False)
    file: Path

    def summary(self) -> dict[str, Any]:
        """One flat row."""
        names = ("id", "model", "scale", "width", "sample_size", "init_std", "seed")
        return {name: getattr(self.spec, name) for name in names} | self.result.summary()

    def to_json(self) -> str:
        """The contents of the file."""
        return self.file.read_text(encoding="utf-8")


def train_single(config: Config) -> SingleRun:
    """Train the run that ``model``, ``data.train_size``, ``init`` and ``experiment.seed`` describe.

    Args:
        config: any config; its sweep section is not looked at.

    Returns:
        The run, kept as ``output.dir / experiment.name / single / <id>.json``, beside it its
        parameters where ``output.save_parameters`` asks for them.

    Raises:
        ConfigError: if the target's file cannot be used.
        StoreError: if the file cannot be written.

    Example:
        >>> import tempfile
        >>> from llr.config import parse_config
        >>> run = train_single(parse_config({"output": {"dir": tempfile.mkdtemp()}},
        ...                                 {"model.scale": 1, "training.max_steps": 10}))
        >>> run.result.status, run.result.steps
        ('max_steps', 10)
    """
    spec = single_run(config)
    problem = build_problem([spec])
    if config.experiment.device != "cpu":
        problem = problem.to(config.experiment.device)
    execution = config.execution
    (result,) = train_batch(
        problem, optimizer_of(spec), engine=execution.engine, threads=execution.threads
    )
    file = SweepPaths(sweep_folder(config)).single(spec.id)
    made_folder(file.parent)
    if config.output.save_parameters:
        from safetensors.torch import save

        weights = {name: value.contiguous() for name, value in result.params.items()}
        with written_aside(file.with_suffix(".safetensors")) as stream:
            stream.write(save(weights))
    with written_aside(file) as stream:
        stream.write(_contents(config, spec, result).encode())
    return SingleRun(spec, result, file)


def _contents(config: Config, spec: RunSpec, result: RunResult) -> str:
    """Everything a reader needs, as JSON."""
    values = {
        "schema_version": SINGLE_VERSION,
        "config": config.to_dict(),
        "environment": describe_environment() | {"device": config.experiment.device},
        "spec": spec.to_dict(),
        "run": {"id": spec.id, **json.loads(result.to_json())},
    }
    return to_json(values, indent=2) + "\n"
