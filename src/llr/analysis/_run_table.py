"""What every analysis needs of a table of runs: its columns and its settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from llr.analysis._run_errors import NOT_TRAINED
from llr.errors import InvalidInputError, did_you_mean, quoted_list


def check_columns(df: pd.DataFrame, needed: Iterable[str]) -> None:
    """Raise InvalidInputError unless the table has every needed column and at least one row."""
    present = [str(name) for name in df.columns]
    for name in needed:
        if name not in present:
            raise InvalidInputError(
                f"The table of runs must have a column {name!r}, got {quoted_list(present)}."
                f"{did_you_mean(name, present)}"
            )
    if df.empty:
        raise InvalidInputError("The table of runs must have at least one row, got none.")


def trained(df: pd.DataFrame, needed: Iterable[str]) -> pd.DataFrame:
    """The runs that were trained, with their columns checked."""
    check_columns(df, needed)
    runs = df.loc[df["status"] != NOT_TRAINED] if "status" in df.columns else df
    if runs.empty:
        raise InvalidInputError(
            "The table of runs must have at least one run that was trained, got only errors."
        )
    return runs


def groups(df: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The settings of a table with their runs: names as they first appear, numbers ascending."""
    if not by:
        yield {}, df
        return
    keys = [
        df[name]
        if pd.api.types.is_numeric_dtype(df[name])
        else pd.Series(pd.factorize(df[name])[0], index=df.index)
        for name in by
    ]
    for _, runs in df.groupby(keys, sort=True, dropna=False):
        first = {name: runs[name].iloc[0] for name in by}
        yield {name: None if pd.isna(value) else value for name, value in first.items()}, runs


def shared_value(df: pd.DataFrame, column: str) -> Any:
    """The value of a column that all rows share; None where they do not, or it is absent."""
    values = df[column].dropna().unique() if column in df.columns else []
    return values[0] if len(values) == 1 else None
