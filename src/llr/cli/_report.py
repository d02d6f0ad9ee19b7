"""``llr report`` and ``llr watch``: a sweep in the browser."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["report", "watch"]

_folder = click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")


@click.command()
@_folder
@click.option("--output", type=click.Path(path_type=Path), help="File; default FOLDER/report.html.")
@click.option("--open", "is_opened", is_flag=True, help="Open it in the browser.")
def report(folder: Path, output: Path | None, is_opened: bool) -> None:
    """Write the sweep in FOLDER, outputs/NAME, as one HTML file that needs no network.

    A sweep that has not ended is reported as far as it has come.
    """
    from llr.report import write_report

    file = write_report(folder, output=output)
    click.echo(file)
    if is_opened:
        click.launch(file.resolve().as_uri())


@click.command()
@_folder
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: any that is free.")
@click.option("--open", "is_opened", is_flag=True, help="Open it in the browser.")
def watch(folder: Path, port: int, is_opened: bool) -> None:
    """Serve the report of the sweep in FOLDER to this machine, anew while the sweep runs."""
    from llr.report import watch

    def ready(address: str) -> None:
        click.echo(f"{address} shows {folder} as it grows; Ctrl-C ends it.")
        if is_opened:
            click.launch(address)

    watch(folder, port=port, ready=ready)
