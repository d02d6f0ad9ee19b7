"""``llr plot``: figures of a sweep that is there already."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["plot"]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")
def plot(folder: Path) -> None:
    """Draw the figures of the sweep in FOLDER, outputs/NAME, from its results.json."""
    from llr.report import save_report

    for file in save_report(folder):
        click.echo(file)
