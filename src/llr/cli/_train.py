"""``llr train``: one run, told in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from llr.cli._options import config_option, overrides_argument, read_config

if TYPE_CHECKING:
    from llr.sweep import SingleRun

__all__ = ["train"]

_SHOWN = ("lr", "weight_decay", "dropout", "max_steps", "tol", "max_time", "rtol")


@click.command()
@config_option
@overrides_argument
def train(path: Path, overrides: tuple[str, ...]) -> None:
    """Train the single run that a config describes: data.train_size samples, experiment.seed.

    SECTION.KEY=VALUE overrides a key, for example training.lr=0.05 model.type=cnn_shared.
    """
    from llr.sweep import train_single

    run = train_single(read_config(path, overrides))
    for name, value in _rows(run):
        click.echo(f"{name:<12}{value}")


def _rows(run: SingleRun) -> list[tuple[str, str]]:
    """What was trained and how it ended."""
    from llr.config import optimizer_name
    from llr.sweep import optimistic_sample_sizes

    spec, result = run.spec, run.result
    scale = [f"scale {spec.scale}"] if spec.scale is not None else []
    width = [f"width {spec.width}"] if spec.width is not None else []
    settings = [
        f"{name} {value:g}"
        for name, value in vars(spec.optimizer).items()
        if name in _SHOWN and value
    ]
    (size,) = optimistic_sample_sizes([spec]).values()
    known = "not known" if size is None else f"{size} samples"
    optimizer = optimizer_name(spec.optimizer)
    init = spec.init_method if spec.init_std is None else f"{spec.init_method} {spec.init_std:g}"
    return [
        ("model", ", ".join([spec.model, *scale, *width, f"{spec.n_parameters} parameters"])),
        ("target", f"{spec.target.name}; optimistic sample size in this model: {known}"),
        ("data", f"{spec.sample_size} training samples ({spec.distribution}), seed {spec.seed}"),
        (
            "training",
            ", ".join([optimizer, *settings, f"initialisation {init}"]),
        ),
        ("end", f"{result.status}: {result.message}"),
        ("train MSE", f"{result.train_mse:.3e}"),
        ("test MSE", f"{result.test_mse:.3e}"),
        ("time", f"{result.seconds:.2g} s ({result.engine} engine)"),
        ("kept in", str(run.file)),
    ]
