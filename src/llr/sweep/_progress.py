"""What a sweep says while it runs: a bar on a terminal, nothing elsewhere; failures always."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Progress", "progress_bar"]


class Progress(Protocol):
    """Told about a sweep as it goes on."""

    def advance(self, *, runs: int, seconds: float) -> None:
        """Some runs are done that were estimated to take so long."""
        ...

    def say(self, message: str) -> None:
        """Something the user should read."""
        ...


class _Quiet:
    """No bar; messages to standard error."""

    def advance(self, *, runs: int, seconds: float) -> None:
        """Show nothing."""

    def say(self, message: str) -> None:
        """Print the message."""
        print(message, file=sys.stderr, flush=True)


@contextmanager
def progress_bar(
    *, n_runs: int, n_done: int, seconds: float, show: bool | None
) -> Iterator[Progress]:
    """A bar with the time left, weighted by how long the runs are estimated to take.

    Args:
        n_runs: runs of the whole grid.
        n_done: those of them that were stored before.
        seconds: estimated time of the others.
        show: None: only if standard error is a terminal.

    Yields:
        Whom to tell.
    """
    if not (sys.stderr.isatty() if show is None else show):
        yield _Quiet()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    bar = RichProgress(
        TextColumn("{task.fields[done]}/{task.fields[n_runs]} runs"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        speed_estimate_period=300,
    )
    task = bar.add_task("", total=seconds, done=n_done, n_runs=n_runs)

    class Bar:
        """Draws."""

        done = n_done

        def advance(self, *, runs: int, seconds: float) -> None:
            self.done += runs
            bar.update(task, advance=seconds, done=self.done)

        def say(self, message: str) -> None:
            bar.console.print(message, markup=False, highlight=False)

    with bar:
        yield Bar()
