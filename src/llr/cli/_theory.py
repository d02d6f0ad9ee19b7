"""``llr theory``: optimistic sample sizes of a config's target, formula against measured rank."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from llr.cli._options import DEFAULT_CONFIG, overrides_argument

if TYPE_CHECKING:
    from torch import nn

    from llr.config import Config
    from llr.tables import Measure, RankRow

__all__ = ["theory"]

PAPER_SCALES = (1, 3, 10, 34, 100)
MEASURE_LIMIT = 3000
WIDTH = 140


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="YAML file of the experiment.",
)
@click.option(
    "--table",
    type=click.Choice(["1", "2", "3"]),
    help="Print this table of the paper instead, for the sizes below; needs no config.",
)
@click.option("--input-dim", default=28, show_default=True, help="d, for --table.")
@click.option("--kernel-size", default=3, show_default=True, help="s, for --table 3.")
@click.option("--kernels", default=1, show_default=True, help="K, for --table 3.")
@click.option(
    "--width",
    "widths",
    multiple=True,
    default=(3, 3),
    show_default=True,
    type=int,
    help="m, for --table 2; the target's hidden widths, one --width each, for --table 1.",
)
@click.option(
    "--measure-limit",
    default=MEASURE_LIMIT,
    show_default=True,
    help="Measure ranks of models with at most this many parameters; 0: none.",
)
@click.option(
    "--certify",
    is_flag=True,
    help="Prove ranks in place of measuring them, without the closed forms (needs llr[certify]).",
)
@overrides_argument
def theory(
    path: Path,
    table: Literal["1", "2", "3"] | None,
    input_dim: int,
    kernel_size: int,
    kernels: int,
    widths: Sequence[int],
    measure_limit: int,
    certify: bool,
    overrides: tuple[str, ...],
) -> None:
    """Print optimistic sample sizes: closed form, exact rank and measured rank side by side.

    For each architecture and scale of the config: parameters, optimistic sample size, formula and
    theorem, the exact (formal) rank and the measured one at parameters that attain it; then the
    optimistic and separation sample sizes and the learning coefficient, or bounds of them. For a
    two-layer tanh target also the three architectures in all four bias settings at the papers'
    scales. SECTION.KEY=VALUE overrides a key, for example data.target=three_bumps.
    """
    from llr.tables import rank_table

    measure = _prover(measure_limit) if certify else measure_limit
    if table is not None:
        result = rank_table(
            (1, 2, 3)[int(table) - 1],
            input_dim=input_dim,
            widths=widths,
            kernels=kernels,
            kernel_size=kernel_size,
            measure=measure,
        )
        _print_rows(result.title, result.rows, proved=certify)
    else:
        from llr.config import load_config

        config = load_config(path, overrides)
        target = _print_config(config, measure, proved=certify)
        if _is_two_layer(target):
            _print_settings(config, target, measure, proved=certify)


def _prover(limit: int) -> Measure:
    """The rank of a model of at most ``limit`` parameters, proved; None where it is not."""
    from llr.certify import certify_rank

    def proved(model: nn.Module) -> int | None:
        if sum(parameter.numel() for parameter in model.parameters()) > limit:
            return None
        result = certify_rank(model, use_theory=False)
        return result.rank if result.proved else None

    return proved


def _print_config(config: Config, measure: int | Measure, *, proved: bool) -> nn.Module:
    """The config's architectures and scales; returns the target."""
    from llr.errors import LLRError
    from llr.sweep import grid, single_run
    from llr.tables import RankRow, rank_row

    specs = grid(config) if config.sweep.enabled else [single_run(config)]
    by_model = {(spec.scale, spec.architecture): spec for spec in specs}
    target = specs[0].target.build()
    rows = []
    for (scale, _), spec in by_model.items():
        label = spec.model if scale is None else f"{spec.model} {scale}x"
        try:
            row = rank_row(label, spec.build_model(), target, measure=measure)
        except LLRError as error:
            row = RankRow(
                label,
                spec.width or 0,
                hidden_bias=bool(spec.hidden_bias),
                output_bias=bool(spec.output_bias),
                n_parameters=spec.n_parameters,
                note=str(error),
            )
        rows.append(row)
    biases = f"hidden bias {_on(specs[0].hidden_bias)}, output bias {_on(specs[0].output_bias)}"
    _print_rows(
        f"Optimistic sample sizes of target {config.data.target}, {biases}", rows, proved=proved
    )
    models = {row.architecture: spec for row, spec in zip(rows, by_model.values(), strict=True)}
    _print_further_sizes({name: spec.build_model() for name, spec in models.items()}, target)
    return target


def _print_further_sizes(models: Mapping[str, nn.Module], target: nn.Module) -> None:
    """Optimistic and separation sample size and learning coefficient, or the bounds known."""
    from llr.errors import LLRError
    from llr.theory import learning_coefficient, optimistic_sample_size, separation_sample_size

    body = []
    for name, model in models.items():
        cells = [name]
        for size in (optimistic_sample_size, separation_sample_size, learning_coefficient):
            try:
                found = size(model, target)
            except LLRError:  # the first table says why
                cells.append("-")
                continue
            known = found.lower == found.upper
            cells.append(str(found.upper) if known else f"{found.lower} to {found.upper}")
        body.append(cells)
    header = ["model", "optimistic", "separation", "learning coefficient"]
    _print_table("Sample sizes and learning coefficients", header, body)


def _on(flag: bool | None) -> str:
    """On or off."""
    return "on" if flag else "off"


def _is_two_layer(target: nn.Module) -> bool:
    """Whether the target is a two-layer tanh network on vectors."""
    from llr.models import two_layer_structure

    structure = two_layer_structure(target)
    return structure is not None and len(structure.input_shape) == 1


def _print_settings(
    config: Config, target: nn.Module, measure: int | Measure, *, proved: bool
) -> None:
    """The three architectures in the four bias settings at the papers' scales."""
    from llr.tables import BIAS_SETTINGS, architecture_table

    d, s = config.data.input_dim, min(config.model.kernel_size, config.data.input_dim)
    if measure:
        verb = "Proving" if proved else "Measuring"
        click.echo(f"{verb} the ranks of 60 models, the largest last ...", err=True)
    table = architecture_table(
        target, input_dim=d, kernel_size=s, scales=PAPER_SCALES, measure=measure
    )
    header = ["model", "no bias", "hidden bias", "output bias", "both"]
    body = []
    for start in range(0, len(table.rows), len(BIAS_SETTINGS)):
        rows = table.rows[start : start + len(BIAS_SETTINGS)]
        body.append([rows[0].architecture, *(_three_numbers(row) for row in rows)])
    third = f" = {'proved' if proved else 'measured'} rank" if measure else ""
    known = f"formula = formal rank{third}"
    _print_table(f"The same target in every bias setting: {known}", header, body)
    agree = table.summary()["agree"]
    click.echo(f"All numbers known are equal in {agree} of {len(table.rows)} models.")
    _print_notes([row.note for row in table.rows])


def _three_numbers(row: RankRow) -> str:
    """``7 = 7 = 7``, an unequal sign where numbers differ."""
    numbers = [row.formula_value, row.formal_rank, row.measured_rank]
    known = [number for number in numbers if number is not None]
    text = str(known[0]) if known else "-"
    for left, right in pairwise(known):
        text += f" {'=' if left == right else '≠'} {right}"
    return text


def _print_rows(title: str, rows: Sequence[RankRow], *, proved: bool = False) -> None:
    """A table of rows, notes below."""
    header = ["model", "parameters", "sample size", "formula", "source", "formal"]
    header.append("proved" if proved else "measured")
    body = []
    for row in rows:
        formula = f"{row.formula} = {row.formula_value}" if row.formula else "-"
        numbers = [row.sample_size, row.formal_rank, row.measured_rank]
        size, formal, measured = ("-" if n is None else str(n) for n in numbers)
        body.append(
            [row.architecture, str(row.n_parameters), size, formula, row.theorem, formal, measured]
        )
    _print_table(title, header, body)
    _print_notes([row.note for row in rows])


def _print_notes(notes: Sequence[str]) -> None:
    """Each note once."""
    for note in dict.fromkeys(note for note in notes if note):
        click.echo(f"Note: {note}.".replace("..", "."))


def _print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on the terminal, wide enough not to wrap where there is none."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in header:
        number = name in ("parameters", "sample size", "formal", "measured", "proved")
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    # Where there is no terminal, lines are not wrapped.
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH).print(table)
