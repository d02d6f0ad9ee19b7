"""``llr train``: one run, told in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from llr.cli._options import config_option, overrides_argument, read_config

if TYPE_CHECKING:
    from llr.sweep import SingleRun

__all__ = ["train"]


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
    spec, result = run.spec, run.result
    sizes = [f"width {spec.width}"] if spec.width is not None else []
    sizes.append(f"{spec.n_parameters} parameters")
    init = f"normal, std {spec.init_std:g}" if spec.init_std is not None else spec.init_method
    return [
        ("model", f"{spec.model}, {', '.join(sizes)}"),
        ("data", f"{spec.sample_size} {spec.distribution} samples of target {spec.target.name}"),
        ("training", f"{spec.optimizer}"),
        ("start", f"{init}, seed {spec.seed}"),
        ("end", f"{result.status}: {result.message}"),
        ("train MSE", f"{result.train_mse:.3e}"),
        ("test MSE", f"{result.test_mse:.3e}"),
        ("time", f"{result.seconds:.1f} s for {result.steps} steps ({result.engine} engine)"),
        ("kept in", str(run.file)),
    ]
