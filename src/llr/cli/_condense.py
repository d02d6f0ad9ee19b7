"""``llr condense``: the narrowest network with almost the same function."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["condense"]


@click.command()
@click.argument("model")
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="Weights file (.pt, .safetensors, .yaml) with the model's parameters.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Samples (.npy, .npz, .csv, .pt) to compare the functions on; default: Gaussian inputs.",
)
@click.option("--tol", type=float, help="Relative error to reach; default: look for an edge.")
@click.option("--max-width", type=int, help="Widest network to try; default: 10.")
@click.option("--certified", is_flag=True, help="Prove the rank (needs llr[certify]).")
@click.option("--seed", default=0, show_default=True, help="Of inputs and starts.")
@click.option("--save", type=click.Path(path_type=Path), help="Write the parameters there (.pt).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def condense(
    model: str,
    state: Path | None,
    data: Path | None,
    tol: float | None,
    max_width: int | None,
    certified: bool,
    seed: int,
    save: Path | None,
    as_json: bool,
) -> None:
    """Find the narrowest network that has almost the function of MODEL.

    MODEL is a run of a sweep (outputs/NAME/ID), a run trained alone (outputs/NAME/single/ID.json),
    module.path:factory, a function without arguments that returns a torch.nn.Module, its weights
    from --state, or a config (.yaml), which stands for its model at parameters of its target.
    """
    import torch

    from llr.cli._point import read_point, read_samples
    from llr.diagnostics import condense
    from llr.errors import InvalidInputError

    if save is not None and save.suffix != ".pt":
        raise InvalidInputError(f"--save must name a file that ends in .pt, got {str(save)!r}.")
    point = read_point(model, state=state, place="target")
    x = None if data is None else read_samples(data, point.model)
    found = condense(point.model, x, tol=tol, max_width=max_width, certified=certified, seed=seed)
    if save is not None:
        torch.save(found.network.state_dict(), save)
    if as_json:
        click.echo(found.to_json())
        return
    click.echo(f"model: {point.source}, {found.n_parameters} parameters")
    for line in found.lines():
        click.echo(line)
