"""What several commands have in common: the config and its overrides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from llr.config import Config

__all__ = ["DEFAULT_CONFIG", "config_option", "overrides_argument", "read_config"]

DEFAULT_CONFIG = "config.yaml"

config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="YAML file of the experiment.",
)

overrides_argument = click.argument("overrides", nargs=-1, metavar="[SECTION.KEY=VALUE]...")


def read_config(path: Path, overrides: tuple[str, ...]) -> Config:
    """The config of a command, its device there.

    Raises:
        ConfigError: if the config cannot be used.
    """
    from llr.config import load_config
    from llr.sweep import check_device

    config = load_config(path, overrides)
    check_device(config)
    return config
