"""``llr config``: the resolved config, its schema, or what a key means."""

from __future__ import annotations

import json
from pathlib import Path

import click

from llr.cli._explanation import explanation
from llr.cli._options import DEFAULT_CONFIG, overrides_argument

__all__ = ["config"]


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=None,
    help=f"YAML file of the experiment; default: {DEFAULT_CONFIG} if there is one, else nothing "
    "but defaults.",
)
@click.option("--show", "what", flag_value="show", default="show", help="The resolved config.")
@click.option("--schema", "what", flag_value="schema", help="The JSON schema of all configs.")
@click.option(
    "--explain", "name", metavar="KEY", help="What a key, or each key of a section, means."
)
@overrides_argument
def config(path: Path | None, what: str, name: str | None, overrides: tuple[str, ...]) -> None:
    """Show a config with every default filled in, as YAML that gives the same runs.

    SECTION.KEY=VALUE overrides a key, for example training.lr=0.05 sweep.seeds=20.
    """
    from llr.config import Config, describe_keys, load_config, parse_config

    if name is not None:
        click.echo(explanation(describe_keys(name)))
        return
    if what == "schema":
        click.echo(json.dumps(Config.json_schema(), indent=2))
        return
    if path is None and Path(DEFAULT_CONFIG).is_file():
        path = Path(DEFAULT_CONFIG)
    resolved = parse_config({}, overrides) if path is None else load_config(path, overrides)
    click.echo(resolved.to_yaml(), nl=False)
