"""The layout of a sweep's folder: every file and folder in it, by what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["RESULTS_FILE", "SINGLE_RUNS", "SweepPaths"]

RESULTS_FILE = "results.json"
SINGLE_RUNS = "single"
"""Folder of runs trained alone, inside an experiment's folder."""


@dataclass(frozen=True)
class SweepPaths:
    """Where everything in a sweep's folder is, whether it is there yet or not.

    Attributes:
        folder: of the sweep, ``output.dir / experiment.name``.

    Example:
        >>> SweepPaths(Path("outputs/mine")).results.as_posix()
        'outputs/mine/results.json'
    """

    folder: Path

    @property
    def config(self) -> Path:
        """The complete config; its first line states the versions."""
        return self.folder / "config.yaml"

    @property
    def results(self) -> Path:
        """All runs and their summary."""
        return self.folder / RESULTS_FILE

    @property
    def latest_results(self) -> Path:
        """A copy of the results of the latest finished sweep, beside all sweeps."""
        return self.folder.parent / RESULTS_FILE

    @property
    def table(self) -> Path:
        """All runs as CSV."""
        return self.folder / "results.csv"

    @property
    def runs(self) -> Path:
        """Folder of the store's shards of records."""
        return self.folder / "runs"

    @property
    def histories(self) -> Path:
        """Folder of the store's shards of loss curves."""
        return self.folder / "histories"

    @property
    def parameters(self) -> Path:
        """Folder of final parameters, one file per run."""
        return self.folder / "parameters"

    @property
    def errors(self) -> Path:
        """Tracebacks of runs that could not be trained."""
        return self.folder / "errors.log"

    @property
    def lock(self) -> Path:
        """The file that the writing process locks."""
        return self.folder / ".lock"

    @property
    def holder(self) -> Path:
        """Which process has the lock."""
        return self.folder / ".lock.json"

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.folder / "figures"

    @property
    def report(self) -> Path:
        """The report as one HTML file."""
        return self.folder / "report.html"

    @property
    def is_stored(self) -> bool:
        """Whether the folder holds a sweep's config and runs."""
        return self.runs.is_dir() and self.config.is_file()

    def single(self, run_id: str) -> Path:
        """The file of a run trained alone."""
        return self.folder / SINGLE_RUNS / f"{run_id}.json"

    def shards(self) -> list[Path]:
        """Shards of records, oldest first; a folder of such a name is none."""
        return _files(self.runs)

    def history_shards(self) -> list[Path]:
        """Shards of loss curves, oldest first."""
        return _files(self.histories)


def _files(folder: Path) -> list[Path]:
    """The files of JSON lines in a folder."""
    return sorted(path for path in folder.glob("*.jsonl") if path.is_file())
