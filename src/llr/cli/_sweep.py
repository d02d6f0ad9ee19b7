"""``llr sweep``: the grid of a config, and its figures."""

from __future__ import annotations

from pathlib import Path

import click

from llr.cli._options import config_option, overrides_argument, read_config
from llr.cli._plot import draw, show_option

__all__ = ["sweep"]


@click.command()
@config_option
@click.option("--dry-run", is_flag=True, help="Print the size of the grid and stop.")
@click.option("--force", is_flag=True, help="Start over into a new folder; nothing is deleted.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@show_option
@overrides_argument
def sweep(
    path: Path,
    dry_run: bool,
    force: bool,
    quiet: bool,
    show: bool | None,
    overrides: tuple[str, ...],
) -> int:
    """Train every run of a config's grid that is not stored yet; write results and figures.

    Stop it with Ctrl-C, or in any other way: the same command goes on from there.

    SECTION.KEY=VALUE overrides a key, for example training.lr=0.05 sweep.seeds=20.
    """
    from llr.sweep import plan_sweep, run_sweep

    config = read_config(path, overrides)
    if dry_run:
        click.echo(plan_sweep(config, force=force))
        return 0
    result = run_sweep(config, force=force, progress=False if quiet else None)
    click.echo(result)
    draw(result.folder, show)
    for failure in result.failures:
        click.echo(f"Run {failure.id} failed: {failure.message}", err=True)
    return 1 if result.failures else 0
