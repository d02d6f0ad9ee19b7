"""``llr export``: a sweep's runs as one table for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

__all__ = ["export"]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["parquet", "csv"]),
    default="parquet",
    show_default=True,
    help="parquet: columns, for pandas, polars, DuckDB, Spark (pip install 'llr[parquet]').",
)
@click.option("--output", type=click.Path(path_type=Path), help="File; default FOLDER/export.*.")
def export(folder: Path, kind: Literal["parquet", "csv"], output: Path | None) -> None:
    """Write the runs of the sweep in FOLDER, outputs/NAME, as one table.

    A sweep that has not written results yet is exported as far as it has come.
    """
    from llr.sweep import export_results

    click.echo(export_results(folder, format=kind, output=output))
