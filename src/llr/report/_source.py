"""What a report is made from: a sweep's folder, finished or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from llr._constants import GROUP_COLUMNS
from llr.analysis import NOT_TRAINED
from llr.config import load_config
from llr.errors import StoreError
from llr.sweep import JsonLinesStore, grid, load_results, optimistic_sample_sizes, read_results

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["History", "StoredSweep", "read_sweep"]

History = Mapping[str, Sequence[float | None]]


@dataclass(frozen=True)
class StoredSweep:
    """A sweep as its folder has it at one moment.

    Attributes:
        folder: where it is.
        name: of the experiment.
        n_runs: runs of the grid, finished or not.
        runs: one row a stored run, columns as in the results files.
        config: sections of plain values.
        environment: where it ran; empty while the sweep has not said so.
        store: loss curves and parameters.
    """

    folder: Path
    name: str
    n_runs: int
    runs: pd.DataFrame = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    environment: Mapping[str, Any] = field(repr=False)
    store: JsonLinesStore = field(repr=False)

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


def read_sweep(folder: Path | str) -> StoredSweep:
    """A sweep from its folder: from its results, or from its store where that has more.

    Raises:
        ResultsError: if the folder holds no sweep, or its results do not follow the schema.
        ConfigError: if there are no results yet and the stored config cannot be read.
    """
    folder = Path(folder)
    store = JsonLinesStore(folder)
    stored = sum(not entry.failed for entry in store.entries.values())
    is_written = (folder / "results.json").exists()
    if is_written or not (folder / "runs").is_dir():
        results = read_results(folder)
        if stored <= results.get("n_finished", stored):
            return StoredSweep(
                folder=folder,
                name=str(results.get("name", folder.resolve().name)),
                n_runs=int(results.get("n_runs", len(results["runs"]))),
                runs=load_results(folder),
                config=results.get("config", {}),
                environment=results.get("environment", {}),
                store=store,
            )
    return _running(folder, store)


def _running(folder: Path, store: JsonLinesStore) -> StoredSweep:
    """A sweep that has stored runs since it last wrote results, or never wrote any."""
    config = load_config(folder / "config.yaml")
    specs = grid(config)
    optimistic = optimistic_sample_sizes(specs)
    entries = store.entries
    records = list(store.records(spec.id for spec in specs if spec.id in entries))
    for record in records:
        setting = tuple(record[name] for name in GROUP_COLUMNS)
        record["optimistic_sample_size"] = optimistic.get(setting)
    columns = ["id", *GROUP_COLUMNS, "sample_size", "seed", "status", "train_mse", "test_mse"]
    runs = pd.DataFrame.from_records(records, columns=None if records else columns)
    return StoredSweep(
        folder=folder,
        name=config.experiment.name,
        n_runs=len(specs),
        runs=runs.astype({"train_mse": "float64", "test_mse": "float64"}),
        config=config.to_dict(),
        environment={},
        store=store,
    )
