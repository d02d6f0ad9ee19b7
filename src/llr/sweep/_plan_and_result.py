"""What a sweep is going to do, and what came of it, as users see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llr._show import html_lines, to_json
from llr.sweep._read_results import load_results, read_results

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FailedRun", "SweepInterrupted", "SweepPlan", "SweepResult", "duration"]


_TOLD = {
    "diverged": "diverged",
    "failed": "given up by the solver",
    "stalled": "stalled",
    "max_steps": "stopped at max_steps",
}
"""Ends of runs that a sweep tells of, in words."""


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep would do.

    Attributes:
        folder: where its results are, or would be.
        grid: number of values on each axis, by name.
        n_runs: runs of the grid.
        n_stored: those of them that are finished and stored.
        n_chunks: tasks that the others make.
        executor: who would work.
        workers: how many tasks at once.
        seconds: rough upper estimate of the time, as if no run ended early.
    """

    folder: Path
    grid: dict[str, int]
    n_runs: int
    n_stored: int
    n_chunks: int
    executor: str
    workers: int
    seconds: float

    @property
    def n_pending(self) -> int:
        """Runs that would be trained."""
        return self.n_runs - self.n_stored

    def summary(self) -> dict[str, Any]:
        """One flat row."""
        row = asdict(self)
        grid = {f"n_{name}": count for name, count in row.pop("grid").items()}
        return {**row, **grid, "folder": str(self.folder), "n_pending": self.n_pending}

    def to_json(self) -> str:
        """The summary as JSON."""
        return to_json(self.summary())

    def __str__(self) -> str:
        axes = " x ".join(
            f"{count} {name.replace('_', ' ').removesuffix('s' * (count == 1))}"
            for name, count in self.grid.items()
        )
        work = "nothing to train"
        if self.n_pending:
            who = f"by {self.workers} worker{'s' * (self.workers > 1)} of {self.executor}"
            who = "in this process" if self.executor == "in_process" else who
            work = (
                f"{self.n_pending} to train, in {self.n_chunks} batches, {who}, "
                f"in at most about {duration(self.seconds)}"
            )
        return (
            f"{self.n_runs} runs: {axes}\n{self.n_stored} of them stored in {self.folder}; {work}"
        )


@dataclass(frozen=True)
class FailedRun:
    """A run that could not be trained; the same command tries it again.

    Attributes:
        id: of the run.
        message: why.
    """

    id: str
    message: str


@dataclass(frozen=True)
class SweepResult:
    """A sweep that came to its end.

    Attributes:
        folder: where ``results.json``, ``results.csv`` and the store are.
        n_runs: runs of the grid.
        n_trained: runs trained this time; the others were stored before.
        failures: runs that could not be trained.
        damage: lines of the store that could not be read, with file and line; their runs were
            trained again.
        seconds: wall time.
        statuses: how many runs of the grid have each status.
    """

    folder: Path
    n_runs: int
    n_trained: int
    failures: tuple[FailedRun, ...]
    damage: tuple[str, ...]
    seconds: float
    statuses: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row a run."""
        return load_results(self.folder)

    def summary(self) -> list[dict[str, Any]]:
        """One flat row a model, scale, initial size and sample size: ready for a DataFrame."""
        return read_results(self.folder)["summary"]

    def to_json(self) -> str:
        """The whole results file."""
        return to_json(read_results(self.folder))

    def __str__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        told = [f"{self.statuses[s]} {words}" for s, words in _TOLD.items() if self.statuses.get(s)]
        ends = f"; in all {', '.join(told)}" if told else ""
        return (
            f"{self.n_runs} runs in {self.folder}: {self.n_trained} trained now in "
            f"{duration(self.seconds)}, "
            f"{self.n_runs - self.n_trained - len(self.failures)} stored before{failed}{ends}"
        )

    def _repr_html_(self) -> str:
        import pandas as pd

        table = pd.DataFrame(self.summary()).to_html(index=False, float_format="{:.2e}".format)
        return f"<p>{html_lines([str(self)])}</p>{table}"


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep: what had finished is stored, the same command goes on."""


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
