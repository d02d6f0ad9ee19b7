"""``llr plot``: figures of a sweep that is there already."""

from __future__ import annotations

import sys
from pathlib import Path

import click

__all__ = ["draw", "plot", "show_option"]

show_option = click.option(
    "--show/--no-show",
    default=None,
    help="Open windows too, where there is a display; default: if the output is a terminal.",
)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")
@show_option
def plot(folder: Path, show: bool | None) -> None:
    """Draw the figures of the sweep in FOLDER, outputs/NAME, from its results.json."""
    draw(folder, show)


def draw(folder: Path, show: bool | None) -> None:
    """Draw all figures of a folder and name the files."""
    from llr.report import draw_all

    files = draw_all(folder, show=sys.stdout.isatty() if show is None else show)
    for file in files:
        click.echo(file)
    if not files:
        click.echo(f"Nothing to draw: no run in {folder} has finished yet.")
