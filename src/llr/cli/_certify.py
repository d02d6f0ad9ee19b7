"""``llr certify`` and ``llr check-certificate``: proved ranks, and the independent checker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from llr.cli._point import Place

__all__ = ["certify", "check_certificate"]

_at = click.option(
    "--at",
    "place",
    type=click.Choice(["init", "target"]),
    default="init",
    show_default=True,
    help="For a config: at its initialisation, or at parameters of its target.",
)
_state = click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="Weights file (.pt, .safetensors, .yaml) with the model's parameters.",
)


@click.command()
@click.argument("model")
@_state
@_at
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Samples (.npy, .npz, .csv, .pt): the rank on them, in place of the model rank.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the certificate to this file.")
@click.option("--rank", type=int, help="Prove only that the rank is at least this.")
@click.option(
    "--theory/--no-theory",
    "use_theory",
    default=True,
    help="Whether closed forms may bound the rank from above.  [default: theory]",
)
@click.option("--max-precision", default=4096, show_default=True, help="Bits of ball arithmetic.")
@click.option("--max-seconds", type=float, help="Return the bounds found so far after this time.")
@click.option("--seed", default=0, show_default=True, help="Of samples, primes and symbols.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def certify(
    model: str,
    state: Path | None,
    place: Place,
    data: Path | None,
    out: Path | None,
    rank: int | None,
    use_theory: bool,
    max_precision: int,
    max_seconds: float | None,
    seed: int,
    as_json: bool,
) -> None:
    """Prove the rank of MODEL: a lower and an upper bound, and a certificate.

    MODEL is as for llr rank. The lower bound is a theorem about the parameters at their exact
    binary values; the upper one is too, or states the probability that it is wrong. The
    certificate is checked by llr check-certificate, or by the one file llr/certify/check.py.
    """
    from llr.certify import certify_rank
    from llr.cli._point import read_point, read_samples

    point = read_point(model, state=state, place=place)
    x = None if data is None else read_samples(data, point.model)
    result = certify_rank(
        point.model,
        x,
        rank=rank,
        use_theory=use_theory,
        max_precision=max_precision,
        max_seconds=max_seconds,
        seed=seed,
    )
    if out is not None:
        result.save(out)
    if as_json:
        click.echo(result.to_json())
        return
    click.echo(f"{'model':<13}{point.source}")
    click.echo(f"{'certified':<13}{result.lines[0]}")
    for line in result.lines[1:]:
        click.echo(f"{'':<13}{line}")
    if out is not None:
        click.echo(f"{'certificate':<13}{out}")


@click.command("check-certificate")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model")
@_state
@_at
def check_certificate(file: Path, model: str, state: Path | None, place: Place) -> int:
    """Check a certificate FILE against MODEL, by arithmetic of the checker's own.

    Exit status: 0 all that the certificate claims is checked; 1 rejected; 3 the lower bound is
    proved and the upper one is not checked.
    """
    import llr
    from llr.cli._point import read_point

    point = read_point(model, state=state, place=place)
    report = llr.check_certificate(file, point.model)
    for sentence in report.sentences:
        click.echo(sentence)
    return report.status
