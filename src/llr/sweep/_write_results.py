"""Results files, written whole from the store: one line per run."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from llr._constants import Setting, setting_of
from llr._files import written_aside
from llr._show import json_ready
from llr.sweep._paths import SweepPaths
from llr.sweep._record import (
    ERROR_FIELDS,
    OPTIMISTIC_FIELD,
    RECORD_FIELDS,
    RUN_FIELDS,
    in_order,
)
from llr.sweep._spec import RunSpec
from llr.sweep._store import AbstractStore
from llr.sweep._train_chunk import whole_record

__all__ = ["SCHEMA_VERSION", "counted", "write_results"]

SCHEMA_VERSION = 2
"""Of results.json. It grows with every change that an old reader would misread.

1: the last error of a run that diverged, where finite, was stored and entered the means.
2: a run that diverged is infinitely wrong everywhere.
"""


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
            run = in_order(whole_record(spec, record), RECORD_FIELDS) | counted(record)
            run[OPTIMISTIC_FIELD] = optimistic.get(setting_of(run))
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


def counted(record: Mapping[str, Any]) -> dict[str, float | None]:
    """The errors that a run counts with; None for a run that could not be trained."""
    from llr.analysis import NOT_TRAINED, counted_error

    status = record["status"]
    return {
        name: None if status == NOT_TRAINED else counted_error(record[name], status)
        for name in ERROR_FIELDS
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
