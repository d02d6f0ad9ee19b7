"""Results read back: every file, whoever wrote or edited it, is checked before it is used."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llr._constants import setting_of
from llr._show import json_ready
from llr.config import known_values
from llr.errors import ConfigError, ResultsError
from llr.sweep._json_lines import JsonLinesStore
from llr.sweep._paths import RESULTS_FILE, SweepPaths
from llr.sweep._record import (
    ERROR_FIELDS,
    OPTIMISTIC_FIELD,
    RUN_FIELDS,
    is_plain,
    record_fault,
    shown,
    text_fault,
)
from llr.sweep._write_results import SCHEMA_VERSION, counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_results", "read_results", "runs_table"]

_READABLE = (1, SCHEMA_VERSION)


def read_results(path: str | Path) -> dict[str, Any]:
    """The contents of a results file, in the form of the current schema whatever its version.

    Args:
        path: a ``results.json``, or a folder that holds one.

    Returns:
        The file's fields, as docs/results_schema.md lists them; of its config, the keys that this
        version knows.

    Raises:
        ResultsError: if there is none, or it does not follow the schema.
    """
    file = Path(path)
    if file.is_dir():
        file = SweepPaths(file).results
    results = _parsed(file, path)
    version = results.get("schema_version") if isinstance(results, dict) else None
    if version not in _READABLE or isinstance(version, bool):
        raise ResultsError(
            f"{file} must have schema_version {' or '.join(map(str, _READABLE))}, got "
            f"{shown(version)}. Read it with the version of llr that wrote it, or run the sweep "
            "again."
        )
    fault = _fault(results)
    if fault is not None:
        raise ResultsError(
            f"{file} must follow docs/results_schema.md, but {fault}. If it was edited, delete it "
            "and repeat the sweep's command, which writes it again from the stored runs."
        )
    results |= _known_config(results, file)
    return results if version == SCHEMA_VERSION else _from_version_1(results)


def _parsed(file: Path, path: str | Path) -> Any:
    """The JSON of a file.

    Raises:
        ResultsError: if there is none.
    """
    try:
        if file.exists() and not file.is_file():
            raise ResultsError(f"{file} must be a file, but it is a folder or a device.")
        return json.loads(file.read_bytes())
    except FileNotFoundError:
        raise ResultsError(
            f"{path} must be a results.json or a folder that holds one, but {file} does not "
            f"exist.{_sweeps_in(file.parent)}"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(f"{file} must be readable JSON, but: {error}.") from None


def _fault(results: Mapping[str, Any]) -> str | None:
    """What does not follow the schema, in words, or None."""
    runs = results.get("runs")
    if not isinstance(runs, list):
        return "it has no list of records under 'runs'"
    for number, run in enumerate(runs):
        if (fault := record_fault(run)) is not None:
            return f"run number {number} {fault}"
    repeated = [run_id for run_id, n in Counter(run["id"] for run in runs).items() if n > 1]
    if repeated:
        return f"the run {repeated[0]} is there more than once"
    return _header_fault(results, runs)


def _header_fault(results: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str | None:
    """What is wrong beside the records, or disagrees with them, or None."""
    if (fault := text_fault(results.get("name", ""))) is not None:
        return f"its name is none: {fault}"
    n_trained = sum(run["status"] != "error" for run in runs)
    n_runs, n_finished = results.get("n_runs", len(runs)), results.get("n_finished", n_trained)
    if type(n_runs) is not int or n_runs < len(runs):
        return f"n_runs is {shown(n_runs)} and there are {len(runs)} records"
    if type(n_finished) is not int or n_finished != n_trained:
        return f"n_finished is {shown(n_finished)} and {n_trained} of the runs were trained"
    environment = results.get("environment", {})
    if not isinstance(environment, dict) or not all(
        text_fault(name) is None and (is_plain(value) or _is_flat(value))
        for name, value in environment.items()
    ):
        return "its environment is no object of plain values"
    summary = results.get("summary", [])
    if not isinstance(summary, list) or not all(_is_flat(row) for row in summary):
        return "its summary is no list of rows of plain values"
    return None


def _is_flat(row: Any) -> bool:
    """Whether a JSON value is an object of plain values."""
    return isinstance(row, dict) and all(
        text_fault(name) is None and is_plain(value) for name, value in row.items()
    )


def _known_config(results: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The config of results as far as this version knows its keys, where there is one.

    Raises:
        ResultsError: if a key has a value that it cannot have.
    """
    if "config" not in results:
        return {}
    try:
        return {"config": known_values(results["config"], source=f"{file}: config")}
    except ConfigError as error:
        raise ResultsError(str(error)) from None


def _from_version_1(results: dict[str, Any]) -> dict[str, Any]:
    """Contents of schema version 1 as version 2 has them: runs that diverged, and the summary."""
    from llr.analysis import RecordSummary

    summary = RecordSummary()
    runs, optimistic = [], {}
    for old in results["runs"]:
        run = old | counted(old)
        runs.append(json_ready(run))
        optimistic[setting_of(run)] = run.get(OPTIMISTIC_FIELD)
        summary.add(run)
    rows = summary.rows(optimistic)
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
        StoreError: if the stored runs of an unfinished sweep cannot be read.

    Example:
        >>> load_results("no/such/folder")
        Traceback (most recent call last):
        ...
        llr.errors.ResultsError: no/such/folder must be a results.json or a folder that holds ...
    """
    paths = SweepPaths(Path(path))
    if paths.runs.is_dir() and not paths.results.exists():
        store = JsonLinesStore(paths.folder)
        return runs_table(list(store.records(store.entries)))
    return runs_table(read_results(path)["runs"])


def runs_table(runs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Records as a table, their errors by the one rule for runs that diverged.

    Args:
        runs: records of runs that were checked.
    """
    import numpy as np
    import pandas as pd

    from llr.analysis import NOT_TRAINED, errors_of

    table = pd.DataFrame.from_records(runs, columns=RUN_FIELDS if not runs else None)
    table = table.drop(columns="chunk", errors="ignore")
    table = table.astype(dict.fromkeys(ERROR_FIELDS, "float64"))
    is_trained = table["status"] != NOT_TRAINED
    return table.assign(
        **{name: np.where(is_trained, errors_of(table, name), np.nan) for name in ERROR_FIELDS}
    )


def _sweeps_in(folder: Path) -> str:
    """A hint at the sweeps that a folder does hold."""
    names = sorted(path.parent.name for path in folder.glob(f"*/{RESULTS_FILE}"))[:5]
    return f" Sweeps there: {', '.join(names)}." if names else ""
