"""A sweep as its folder holds it, finished or not: every path and every table of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llr._constants import setting_of
from llr.analysis import NOT_TRAINED
from llr.errors import StoreError
from llr.sweep._folder import stored_config
from llr.sweep._grid import grid
from llr.sweep._json_lines import JsonLinesStore
from llr.sweep._optimistic import optimistic_sample_sizes
from llr.sweep._paths import SweepPaths
from llr.sweep._read_results import read_results, runs_table
from llr.sweep._record import OPTIMISTIC_FIELD
from llr.sweep._spec import RunSpec
from llr.sweep._store import AbstractStore
from llr.sweep._train_chunk import whole_record

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

__all__ = ["History", "StoredSweep", "open_sweep"]

History = Mapping[str, Sequence[float | None]]


@dataclass(frozen=True)
class StoredSweep:
    """A sweep as its folder has it at one moment.

    Attributes:
        folder: where it is.
        name: of the experiment.
        n_runs: runs of the grid, finished or not.
        runs: one row per stored run, columns as in the results files.
        config: sections of plain values.
        environment: where it ran; empty while the sweep has not said so.
        store: records, loss curves and parameters.
    """

    folder: Path
    name: str
    n_runs: int
    runs: pd.DataFrame = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    environment: Mapping[str, Any] = field(repr=False)
    store: AbstractStore = field(repr=False)

    @property
    def paths(self) -> SweepPaths:
        """Where everything in the folder is."""
        return SweepPaths(self.folder)

    @property
    def specs(self) -> dict[str, RunSpec]:
        """The runs of the grid by id, finished or not.

        Raises:
            ConfigError: if the stored config cannot be read.
        """
        return {spec.id: spec for spec in grid(stored_config(self.paths))}

    @property
    def errors(self) -> pd.DataFrame:
        """The runs that could not be trained."""
        return self.runs.loc[self.runs["status"] == NOT_TRAINED]

    @property
    def n_finished(self) -> int:
        """Runs that were trained."""
        return len(self.runs) - len(self.errors)

    @property
    def is_complete(self) -> bool:
        """Whether every run of the grid was trained."""
        return self.n_finished >= self.n_runs

    def histories(self, ids: Iterable[str]) -> dict[str, History]:
        """Losses along runs, those that were kept, by id."""
        return dict(self.store.histories(ids))

    def parameters(self, run_id: str) -> dict[str, Tensor] | None:
        """Final parameters of a run by name; None where they were not kept."""
        try:
            return self.store.parameters(run_id)
        except StoreError:
            return None


def open_sweep(folder: Path | str) -> StoredSweep:
    """A sweep from its folder: from its results, or from its store where that has more.

    Args:
        folder: of a sweep, finished or not.

    Returns:
        The sweep as it is now.

    Raises:
        ResultsError: if the folder holds no sweep, or its results do not follow the schema.
        ConfigError: if there are no results yet and the stored config cannot be read.

    Example:
        >>> import tempfile
        >>> from llr.config import parse_config
        >>> from llr.sweep import run_sweep
        >>> config = parse_config({
        ...     "training": {"max_steps": 10},
        ...     "sweep": {"models": ["mlp"], "sample_sizes": [5], "seeds": 2},
        ...     "output": {"dir": tempfile.mkdtemp()},
        ... })
        >>> sweep = open_sweep(run_sweep(config).folder)
        >>> sweep.n_finished, sweep.is_complete, sweep.paths.results.name
        (2, True, 'results.json')
    """
    paths = SweepPaths(Path(folder))
    store = JsonLinesStore(paths.folder)
    stored = sum(not entry.failed for entry in store.entries.values())
    if paths.results.exists() or not paths.runs.is_dir():
        results = read_results(paths.folder)
        if stored <= results.get("n_finished", stored):
            return StoredSweep(
                folder=paths.folder,
                name=results.get("name", paths.folder.resolve().name),
                n_runs=results.get("n_runs", len(results["runs"])),
                runs=runs_table(results["runs"]),
                config=results.get("config", {}),
                environment=results.get("environment", {}),
                store=store,
            )
    return _running(paths, store)


def _running(paths: SweepPaths, store: JsonLinesStore) -> StoredSweep:
    """A sweep that has stored runs since it last wrote results, or never wrote any."""
    config = stored_config(paths)
    specs = grid(config)
    optimistic = optimistic_sample_sizes(specs)
    entries = store.entries
    finished = [spec for spec in specs if spec.id in entries]
    stored = store.records(spec.id for spec in finished)
    records = [whole_record(*pair) for pair in zip(finished, stored, strict=True)]
    for record in records:
        record[OPTIMISTIC_FIELD] = optimistic.get(setting_of(record))
    return StoredSweep(
        folder=paths.folder,
        name=config.experiment.name,
        n_runs=len(specs),
        runs=runs_table(records),
        config=config.to_dict(),
        environment={},
        store=store,
    )
