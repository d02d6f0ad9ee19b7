"""Results files: written whole from the store, one line per run, and read back as a table."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from llr._constants import Setting, setting_of
from llr._files import written_aside
from llr._show import json_ready
from llr.errors import ResultsError
from llr.sweep._json_lines import JsonLinesStore
from llr.sweep._paths import RESULTS_FILE, SweepPaths
from llr.sweep._spec import RunSpec
from llr.sweep._store import AbstractStore
from llr.sweep._train_chunk import RECORD_FIELDS, whole_record

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCHEMA_VERSION", "load_results", "read_results", "runs_table", "write_results"]

SCHEMA_VERSION = 2
"""Of results.json. It grows with every change that an old reader would misread.

1: the last error of a run that diverged, where finite, was stored and entered the means.
2: a run that diverged is infinitely wrong everywhere.
"""

_READABLE = (1, SCHEMA_VERSION)

RUN_FIELDS = (*RECORD_FIELDS, "optimistic_sample_size")
"""Fields of a run in the results, in order: its record, and what the theory says of its setting."""

_ERRORS = ("train_mse", "test_mse")

_NEEDED = (
    "id",
    "model",
    "scale",
    "width",
    "sample_size",
    "seed",
    "status",
    "steps",
    "train_mse",
    "test_mse",
    "seconds",
)


def write_results(
    folder: Path,
    *,
    store: AbstractStore,
    specs: Sequence[RunSpec],
    header: Mapping[str, Any],
    optimistic: Mapping[Setting, int | None],
) -> Counter[str]:
    """Write ``results.json`` and ``results.csv``; records pass through one by one.

    Args:
        folder: where.
        store: the runs.
        specs: of the stored runs, in the order wanted.
        header: what stands before the runs: name, config, environment and so on.
        optimistic: optimistic sample sizes by setting, where known.

    Returns:
        How many runs have each status.

    Raises:
        StoreError: if the files cannot be written; the old ones are then still there.
    """
    from llr.analysis import RecordSummary

    summary = RecordSummary()
    with ExitStack() as stack:
        results = stack.enter_context(written_aside(SweepPaths(folder).results))
        table = stack.enter_context(written_aside(SweepPaths(folder).table))
        text = io.TextIOWrapper(table, encoding="utf-8", newline="", write_through=True)
        stack.callback(text.detach)
        rows: csv.DictWriter[str] = csv.DictWriter(text, RUN_FIELDS, lineterminator="\n")
        rows.writeheader()
        results.write(b"{\n")
        for key, value in {"schema_version": SCHEMA_VERSION, **header}.items():
            results.write(f"{json.dumps(key)}: {_json(value)},\n".encode())
        runs = _ListWriter(results, "runs")
        for spec, record in zip(specs, store.records(spec.id for spec in specs), strict=True):
            run = whole_record(spec, record)
            run = {name: run[name] for name in RECORD_FIELDS} | _counted(record)
            run["optimistic_sample_size"] = optimistic.get(setting_of(run))
            runs.add(json_ready(run))
            rows.writerow(run)
            summary.add(run)
        runs.end(",")
        lines = _ListWriter(results, "summary")
        for row in summary.rows(optimistic):
            lines.add(row)
        lines.end("")
        results.write(b"}\n")
    return summary.statuses


def _counted(record: Mapping[str, Any]) -> dict[str, float | None]:
    """The errors that a run counts with; None for a run that could not be trained."""
    from llr.analysis import NOT_TRAINED, counted_error

    status = record["status"]
    return {
        name: None if status == NOT_TRAINED else counted_error(record[name], status)
        for name in _ERRORS
    }


class _ListWriter:
    """Writes a list of rows, one line each, without holding it."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._separator = "\n"
        file.write(f"{json.dumps(name)}: [".encode())

    def add(self, row: Mapping[str, Any]) -> None:
        """Write one row."""
        self._file.write(f"{self._separator}{_json(row)}".encode())
        self._separator = ",\n"

    def end(self, comma: str) -> None:
        """Close the list."""
        self._file.write(f"\n]{comma}\n".encode())


def _json(value: Any) -> str:
    """A value on one line; a number that is not finite would be a mistake here."""
    return json.dumps(value, allow_nan=False)


def read_results(path: str | Path) -> dict[str, Any]:
    """The contents of a results file, in the form of the current schema whatever its version.

    Args:
        path: a ``results.json``, or a folder that holds one.

    Returns:
        The file's fields, as docs/results_schema.md lists them.

    Raises:
        ResultsError: if there is none, or it does not follow the schema.
    """
    file = Path(path)
    if file.is_dir():
        file = SweepPaths(file).results
    try:
        results = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise ResultsError(
            f"{path} must be a results.json or a folder that holds one, but {file} does not "
            f"exist.{_sweeps_in(file.parent)}"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(f"{file} must be readable JSON, but: {error}.") from None
    version = results.get("schema_version") if isinstance(results, dict) else None
    if version not in _READABLE or isinstance(version, bool):
        raise ResultsError(
            f"{file} must have schema_version {' or '.join(map(str, _READABLE))}, got {version!r}. "
            "Read it with the version of llr that wrote it, or run the sweep again."
        )
    runs = results.get("runs")
    if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
        raise ResultsError(f"{file} must have a list of records under 'runs'.")
    for number, run in enumerate(runs):
        missing = [name for name in _NEEDED if name not in run]
        if missing:
            raise ResultsError(
                f"{file} must have {', '.join(missing)} in every record, but run number "
                f"{number} has {', '.join(map(str, run))}."
            )
    return results if version == SCHEMA_VERSION else _from_version_1(results, str(file))


def _from_version_1(results: dict[str, Any], source: str) -> dict[str, Any]:
    """Contents of schema version 1 in the form of version 2: runs that diverged, and the summary.

    Raises:
        ResultsError: if an error is not a number.
    """
    from llr.analysis import RecordSummary

    summary = RecordSummary()
    runs, optimistic = [], {}
    try:
        for old in results["runs"]:
            run = old | _counted(old)
            runs.append(json_ready(run))
            optimistic[setting_of(run)] = run.get("optimistic_sample_size")
            summary.add(run)
        rows = summary.rows(optimistic)
    except (TypeError, KeyError, OverflowError) as error:
        raise ResultsError(
            f"{source} must have numbers or null for {' and '.join(_ERRORS)}, and plain values for "
            f"model, scale, width, init_std and sample_size in every record, but: {error}."
        ) from None
    return results | {"schema_version": SCHEMA_VERSION, "runs": runs, "summary": rows}


def load_results(path: str | Path) -> pd.DataFrame:
    """The runs of a sweep as a table.

    Args:
        path: a sweep's folder, its ``results.json``, or the output folder (its latest finished
            sweep). For a sweep that has not written results yet, the runs stored so far.

    Returns:
        One row per run, columns as in docs/results_schema.md. The errors of a run that diverged
        are infinite; those of a run that could not be trained are NaN.

    Raises:
        ResultsError: if there are no results, or they do not follow the schema.

    Example:
        >>> load_results("no/such/folder")
        Traceback (most recent call last):
        ...
        llr.errors.ResultsError: no/such/folder must be a results.json or a folder that holds ...
    """
    paths = SweepPaths(Path(path))
    if paths.runs.is_dir() and not paths.results.exists():
        store = JsonLinesStore(paths.folder)
        return runs_table(list(store.records(store.entries)), str(path))
    return runs_table(read_results(path)["runs"], str(path))


def runs_table(runs: Sequence[Mapping[str, Any]], source: str) -> pd.DataFrame:
    """Records as a table, their errors by the one rule for runs that diverged.

    Args:
        runs: records of runs.
        source: where they are from, for messages.

    Raises:
        ResultsError: if an error is not a number or null.
    """
    import numpy as np
    import pandas as pd

    from llr.analysis import NOT_TRAINED, errors_of

    table = pd.DataFrame.from_records(runs, columns=RUN_FIELDS if not runs else None)
    table = table.drop(columns="chunk", errors="ignore")
    try:
        table = table.astype(dict.fromkeys(_ERRORS, "float64"))
    except (TypeError, ValueError, OverflowError) as error:
        raise ResultsError(
            f"{source} must have numbers or null for {' and '.join(_ERRORS)}, but: {error}."
        ) from None
    is_trained = table["status"] != NOT_TRAINED
    return table.assign(
        **{name: np.where(is_trained, errors_of(table, name), np.nan) for name in _ERRORS}
    )


def _sweeps_in(folder: Path) -> str:
    """A hint at the sweeps that a folder does hold."""
    names = sorted(path.parent.name for path in folder.glob(f"*/{RESULTS_FILE}"))[:5]
    return f" Sweeps there: {', '.join(names)}." if names else ""
