"""``llr reproduce``: one of the papers' results, made again and judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llr.cli._options import overrides_argument

__all__ = ["reproduce"]


@click.command()
@click.argument("name", required=False)
@click.option("--list", "listed", is_flag=True, help="Print what can be reproduced and stop.")
@click.option("--quick", is_flag=True, help="The small size, in less than a minute.")
@click.option("--optimizer", help="Another way to train, for example gradient_descent.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default="outputs/reproduce",
    show_default=True,
    help="Folder of all reproductions.",
)
@click.option(
    "--gallery", type=click.Path(path_type=Path), help="Also write a page of the docs here."
)
@click.option("--dry-run", is_flag=True, help="Print the sweeps that it takes and stop.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
@overrides_argument
def reproduce(
    name: str | None,
    listed: bool,
    quick: bool,
    optimizer: str | None,
    output: Path,
    gallery: Path | None,
    dry_run: bool,
    quiet: bool,
    overrides: tuple[str, ...],
) -> None:
    """Make one of the papers' results again: figures, data, and a verdict beside the paper.

    NAME is one of ``llr reproduce --list``. Training goes on where it stopped; the verdict, the
    figures (PNG, SVG) and their data (CSV) are written to OUTPUT/NAME.

    SECTION.KEY=VALUE overrides a key of every sweep, for example sweep.seeds=20.
    """
    from llr import reproduce as room

    if listed:
        titles = room.list_reproductions()
        for key, title in titles.items():
            click.echo(f"{key:<{max(map(len, titles)) + 2}}{title}")
        return
    if name is None:
        raise click.UsageError("NAME is missing; llr reproduce --list prints the names.")
    options: dict[str, Any] = {
        "quick": quick,
        "optimizer": optimizer,
        "output": output,
        "overrides": _values(overrides),
    }
    job = room.Job(name, **options)
    if dry_run:
        from llr.sweep import plan_sweep

        for _, config in job.sweeps():
            click.echo(plan_sweep(config))
        return
    result = room.reproduce(name, **options, progress=False if quiet else None)
    for comparison in result.verdict.comparisons:
        click.echo(comparison)
    click.echo(result.verdict.line)
    click.echo(result.size)
    for paths in result.files.values():
        for path in paths:
            click.echo(f"  {path}")
    if gallery is not None:
        click.echo(f"  {room.write_page(result, job, gallery)}")


def _values(overrides: tuple[str, ...]) -> dict[str, Any]:
    """Overrides by dotted key, each value read as YAML."""
    from llr._yaml import parse_yaml

    values = {}
    for text in overrides:
        key, sign, value = text.partition("=")
        if not sign:
            raise click.UsageError(f"An override must read section.key=value, got {text!r}.")
        values[key] = parse_yaml(value, source=f"override {text!r}")
    return values
