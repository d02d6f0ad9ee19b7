"""A group of commands that loads each on first use and turns every error into a line."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

import llr
from llr.errors import ConfigError, LLRError, did_you_mean

__all__ = ["CommandGroup"]

BAD_INPUT, FAILURE, INTERRUPTED = 2, 1, 130
TRACEBACK = "LLR_TRACEBACK"


class CommandGroup(click.Group):
    """The root of the command line.

    Args:
        name: of the program.
        commands: name -> (``module:attribute`` of a click command, help in one line).
        help: what the program is for.
    """

    def __init__(self, name: str, *, commands: Mapping[str, tuple[str, str]], help: str) -> None:
        super().__init__(
            name,
            help=help,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
            params=[
                click.Option(
                    ["--version"],
                    is_flag=True,
                    expose_value=False,
                    is_eager=True,
                    callback=_print_version,
                    help="Show the version and exit.",
                )
            ],
        )
        self._table = commands

    def list_commands(self, ctx: click.Context | None) -> list[str]:
        """Names, in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name][0].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, but a wrong name is told the nearest."""
        if args and args[0] not in self._table and not args[0].startswith("-"):
            hint = did_you_mean(args[0], self._table)
            ctx.fail(f"No such command {args[0]!r}; there are {', '.join(self._table)}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._table.items()])

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> NoReturn:
        """Run a command and end the process: 0 done, 1 failed, 2 bad input, 130 interrupted.

        Args:
            args: the command line; None: the process's own.
        """
        try:
            status = super().main(args, prog_name=self.name, standalone_mode=False)
            code = status if isinstance(status, int) else 0
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt) as error:
            told = str(error.__cause__ or error) or "Stopped."
            click.echo(told, err=True)
            code = INTERRUPTED
        except LLRError as error:
            _say(error)
            code = BAD_INPUT if isinstance(error, (ValueError, TypeError)) else FAILURE
        except Exception as error:  # whatever it is, users get a line, not a stack
            _say_unexpected(error)
            code = FAILURE
        sys.exit(code)


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Print the version and stop."""
    if value and not ctx.resilient_parsing:
        click.echo(f"llr {llr.__version__}")
        ctx.exit()


def _say(error: LLRError) -> None:
    """An error's message; a config's faults are a line each."""
    for position, line in enumerate(str(error).splitlines()):
        is_first = position == 0 or isinstance(error, ConfigError)
        click.echo(f"Error: {line}" if is_first else line, err=True)


def _say_unexpected(error: Exception) -> None:
    """One line for an error that nobody foresaw."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    reason = " ".join(str(error).split()) or "no message"
    click.echo(
        f"Error: {type(error).__name__}: {reason} (set {TRACEBACK}=1 for the traceback)", err=True
    )
