"""A sweep's runs as one table for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from llr._files import written_aside
from llr.errors import MissingExtraError, check_choice
from llr.sweep._read_results import load_results
from llr.sweep._record import RUN_FIELDS, fields_of_kind

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ExportFormat", "export_results"]

ExportFormat = Literal["parquet", "csv"]


def export_results(
    folder: str | Path, *, format: ExportFormat = "parquet", output: str | Path | None = None
) -> Path:
    """Write the runs of a sweep as one table, every column of one type whatever the sweep.

    Args:
        folder: as in :func:`load_results`: a sweep's folder, or a results file.
        format: ``parquet``, columns for pandas, polars, DuckDB and Spark; or ``csv``.
        output: file to write; None: ``export.<format>`` in the folder.

    Returns:
        The file that was written.

    Raises:
        MissingExtraError: if parquet is asked for and pyarrow is not installed.
        ResultsError: if there are no results, or they do not follow the schema.
        StoreError: if the file cannot be written; an old one is then still there.

    Example:
        >>> export_results("no/such/folder")
        Traceback (most recent call last):
        ...
        llr.errors.ResultsError: no/such/folder must be a results.json or a folder that holds ...
    """
    check_choice("format", format, get_args(ExportFormat))
    if format == "parquet":
        _check_pyarrow()
    table = _typed(load_results(folder))
    place = Path(folder)
    home = place if place.is_dir() else place.parent
    path = home / f"export.{format}" if output is None else Path(output)
    with written_aside(path) as file:
        if format == "parquet":
            table.to_parquet(file, engine="pyarrow", index=False)
        else:
            table.to_csv(file, index=False, lineterminator="\n")
    return path


def _typed(runs: pd.DataFrame) -> pd.DataFrame:
    """The fields of the schema in its order: integers and numbers that may be missing, text."""
    kinds = dict.fromkeys(fields_of_kind("integer"), "Int64")
    kinds |= dict.fromkeys(fields_of_kind("number"), "float64")
    kinds |= dict.fromkeys(fields_of_kind("name", "text"), "string")
    return runs.reindex(columns=list(RUN_FIELDS)).astype(kinds)


def _check_pyarrow() -> None:
    """Parquet needs a library that nothing else needs."""
    try:
        import pyarrow  # noqa: F401 - pandas takes it from here
    except ImportError as error:
        raise MissingExtraError(
            "The format 'parquet' needs pyarrow, but it is not installed. Install it with: "
            "pip install 'llr[parquet]'; --format csv does without."
        ) from error
