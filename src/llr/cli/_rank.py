"""``llr rank`` and ``llr check``: measured ranks at a parameter point, and the LLR test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from torch import nn

    from llr.certify import CertifiedRank
    from llr.cli._point import Place

__all__ = ["check", "rank"]

Command = TypeVar("Command", bound=Callable[..., Any])


def _place_option(default: Place) -> Callable[[Command], Command]:
    """Where a config is measured."""
    return click.option(
        "--at",
        "place",
        type=click.Choice(["init", "target"]),
        default=default,
        show_default=True,
        help="For a config: at its initialisation, or at parameters of its target.",
    )


def _model_options(command: Command) -> Command:
    """MODEL and how to read and measure it."""
    options = [
        click.argument("model"),
        click.option(
            "--state",
            type=click.Path(path_type=Path),
            help="Weights file (.pt, .safetensors, .yaml) with the model's parameters.",
        ),
        click.option("--atol", type=float, help="Absolute tolerance."),
        click.option("--rtol", type=float, help="Tolerance relative to the largest value."),
        click.option("--gap", type=float, help="Least gap that counts as clear."),
        click.option(
            "--param-error",
            type=float,
            help="How far each parameter may be off; 0: exact. Give it for trained parameters.",
        ),
        click.option(
            "--method",
            type=click.Choice(["auto", "dense", "chunked", "sketched"]),
            default="auto",
            show_default=True,
            help="How to compute singular values.",
        ),
        click.option("--max-memory", type=float, help="Bytes to work in, for example 2e9."),
        click.option("--seed", default=0, show_default=True, help="Of inputs and probes."),
        click.option("--certify", is_flag=True, help="Prove bounds too (needs llr[certify])."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_model_options
@_place_option("init")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Samples (.npy, .npz, .csv, .pt): the empirical rank on them.",
)
def rank(
    model: str,
    state: Path | None,
    place: Place,
    data: Path | None,
    as_json: bool,
    certify: bool,
    **options: Any,
) -> None:
    """Measure the model rank of MODEL, on Gaussian inputs or on samples from a file.

    MODEL is a config (.yaml), a run of a sweep (outputs/NAME/ID), a run trained alone
    (outputs/NAME/single/ID.json), or module.path:factory, a function without arguments that
    returns a torch.nn.Module, its weights from --state.
    """
    from llr.cli._point import read_point, read_samples
    from llr.tangent import LOWER_BOUND_NOTE, model_rank

    point = read_point(model, state=state, place=place)
    x = None if data is None else read_samples(data, point.model)
    result = model_rank(point.model, x, **options)
    exact, exact_text = _exact(point.model)
    proof = _certified(point.model, x, options["seed"]) if certify else None
    if as_json:
        proved = {} if proof is None else {"certified": proof.summary()}
        click.echo(_with(result.to_json(), model=point.source, formal_rank=exact, **proved))
        return
    on = f"{data} ({result.n_rows} rows)" if data else f"{result.n_rows} rows of Gaussian inputs"
    more = "no further sample raises it" if result.saturated else "more samples could raise it"
    _print(
        ("model", point.source),
        ("parameters", str(result.n_params)),
        ("rank", f"{result.rank} ({result.verdict}) on {on}; {more}"),
        ("formal rank", exact_text),
        ("textbook", f"{result.textbook_rank} singular values above rounding"),
        ("gap", f"{result.gap:.1e} at tolerance {result.tolerance:.1e} ({result.method})"),
        *([] if proof is None else [("certified", proof.lines[0])]),
    )
    unseen = ""
    if x is None and exact is not None and exact != result.rank:
        unseen = f"The exact rank at these parameters is {exact}, not {result.rank}."
    _say(result.message, unseen, LOWER_BOUND_NOTE)


@click.command()
@_model_options
@_place_option("target")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Samples to test (.npy, .npz, .csv, .pt).",
)
@click.option(
    "--inputs",
    type=click.Path(path_type=Path),
    help="Samples that stand for the whole input space; default: Gaussian.",
)
def check(
    model: str,
    state: Path | None,
    place: Place,
    data: Path,
    inputs: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Check whether the samples in FILE pin down MODEL's function to first order.

    The local linear recovery guarantee holds if and only if the tangent matrix on the samples has
    the full model rank. MODEL is as for llr rank; a config is tested at parameters of its target,
    so that the question is whether the samples pin the target down.
    """
    from llr.cli._point import read_point, read_samples
    from llr.recovery import check_llr

    point = read_point(model, state=state, place=place)
    x = read_samples(data, point.model)
    more = None if inputs is None else read_samples(inputs, point.model)
    result = check_llr(point.model, x, inputs=more, **options)
    if as_json:
        click.echo(_with(result.to_json(), model=point.source))
        return
    proof = result.certified
    rows = [
        ("model", point.source),
        ("parameters", str(result.on_x.n_params)),
        *([] if proof is None else [("certified", proof.sentence)]),
        ("guarantee", f"{'holds' if result.recoverable else 'does not hold'} ({result.verdict})"),
        ("rank on data", f"{result.rank_on_x} ({result.on_x.n_rows} rows of {data})"),
        ("model rank", str(result.model_rank)),
        ("formal rank", _exact(point.model)[1]),
    ]
    if not result.recoverable:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in result.missing_shares().items())
        if result.n_missing:
            unseen = f"{result.n_missing} tangent functions" + (f", in {shares}" if shares else "")
            rows.append(("unseen", unseen))
        rows.append(("needed", f"{result.samples_needed} further generic samples"))
    _print(*rows)
    _say(result.message, result.caveat)


def _certified(model: nn.Module, x: object, seed: int) -> CertifiedRank:
    """Proved bounds on the same rank."""
    from llr.certify import certify_rank

    return certify_rank(model, x, seed=seed)


def _exact(model: nn.Module) -> tuple[int | None, str]:
    """The formal rank, and what to print of it."""
    from llr.errors import UnsupportedModuleError
    from llr.theory import formal_rank

    try:
        exact = formal_rank(model)
    except UnsupportedModuleError:
        return None, "not known for this model"
    return exact, f"{exact} (exact, from the parameters alone)"


def _with(text: str, **fields: object) -> str:
    """A JSON object with further fields."""
    import json

    return json.dumps({**fields, **json.loads(text)})


def _print(*rows: tuple[str, str]) -> None:
    """A line a row."""
    for name, value in rows:
        click.echo(f"{name:<13}{value}")


def _say(*sentences: str) -> None:
    """Sentences below the numbers."""
    for sentence in sentences:
        if sentence:
            click.echo(sentence)
