"""``llr warmup``: compile ahead, so that the first sweep does not wait for it."""

from __future__ import annotations

import click

__all__ = ["warmup"]


@click.command()
def warmup() -> None:
    """Compile the engines ahead of time and say how long it took.

    The result is cached on disk; a second call only loads it.
    """
    from llr.training import warmup as compile_ahead

    for done in compile_ahead():
        how = "compiled" if done.compiled else "loaded from the cache"
        click.echo(f"{done.engine:<9} {how} in {done.seconds:.1f} s")
