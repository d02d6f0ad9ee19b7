"""Which columns of a table tell settings apart, so that nothing is averaged over two of them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from llr._constants import GROUP_COLUMNS
from llr.analysis._run_table import check_columns
from llr.errors import InvalidInputError, quoted_list

__all__ = ["group_columns", "varied_columns"]

_FURTHER_COLUMNS = (
    *("activation", "depth", "widths", "kernel_size", "hidden_bias", "output_bias", "input_dim"),
    *("target", "target_model", "target_width", "target_kernel_size", "target_seed"),
    *("noise", "noise_std", "distribution", "test_size", "init_method"),
    *("optimizer", "lr", "learning_rate", "momentum", "batch_size", "weight_decay", "dropout"),
    *("max_steps", "max_time", "tol", "rtol", "atol", "variant", "n_parameters"),
)
"""Columns that tell settings apart where they vary, as configs and results call them."""

_OUTCOMES = (
    *("id", "chunk", "engine", "message", "status", "steps", "seconds", "time"),
    *("train_mse", "test_mse", "sample_size", "seed", "optimistic_sample_size"),
)
"""Columns in which the runs of one setting may differ."""


def varied_columns(df: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """The columns that tell rows apart which the columns before them do not."""
    settings = df[list(columns)].drop_duplicates()
    kinds = [1] + [
        len(settings[list(columns[: i + 1])].drop_duplicates()) for i in range(len(columns))
    ]
    return [name for i, name in enumerate(columns) if kinds[i + 1] > kinds[i]]


def group_columns(df: pd.DataFrame, by: Sequence[str] | None) -> list[str]:
    """The columns to group by.

    Args:
        df: one row per run.
        by: the columns asked for; None: those of ``GROUP_COLUMNS`` that there are, and those of
            the further columns that a config could set (optimizer, learning rate, target, noise,
            activation, ...) that vary beside them.

    Raises:
        InvalidInputError: if a column is missing; with ``by`` None, also if runs of one setting
            differ in a column of another name, or in something that no column names.
    """
    if by is None:
        present = [name for name in GROUP_COLUMNS if name in df.columns]
        further = [name for name in _FURTHER_COLUMNS if name in df.columns]
        varied = varied_columns(df, [*present, *further])
        names = [*present, *(name for name in further if name in varied)]
        _check_alike(df, names)
        return names
    names = [by] if isinstance(by, str) else list(by)
    check_columns(df, names)
    return names


def _check_alike(df: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse a table whose settings are not told apart by the given columns.

    Raises:
        InvalidInputError: with the columns that would be averaged over.
    """
    known = {*names, *_OUTCOMES, *GROUP_COLUMNS, *_FURTHER_COLUMNS}
    for name in df.columns:
        if name not in known and _tells_apart(df, str(name), names):
            values = df[name].astype(str).unique()
            raise InvalidInputError(
                f"The runs of one setting must differ only in sample size and seed, but {name!r} "
                f"has {len(values)} values, {quoted_list(list(values[:5]))}, which would be "
                f"averaged. Select one, drop the column if it is a result of the runs, or pass "
                f"by=[..., {name!r}]."
            )
    keys = [*names, "sample_size", "seed"]
    if "id" in df.columns and "seed" in df.columns:
        different = df[[*keys, "id"]].drop_duplicates()
        twice = different.duplicated(keys)
        if twice.any():
            first = different.loc[twice, keys].iloc[0].to_dict()
            words = ", ".join(f"{name} {value}" for name, value in first.items())
            raise InvalidInputError(
                "Runs that agree in setting, sample size and seed must be the same run, but two "
                f"different ones have {words}: they differ in something that no column of the "
                "table names. Add a column that does (lr, optimizer, target, ...), or look at one "
                "sweep at a time."
            )


def _tells_apart(df: pd.DataFrame, column: str, names: Sequence[str]) -> bool:
    """Whether a column of unknown meaning looks like a setting, not like a result of the runs.

    It does if runs that agree in setting, sample size and seed differ in it; or if it varies
    between runs of one sample size but never along the sample sizes of one setting and seed.
    """
    values = pd.Series(pd.factorize(df[column].astype(str))[0], index=df.index)
    table = df[[*names, "sample_size"]].assign(_value=values)
    if not _varies_within(table, [*names, "sample_size"]):
        return False
    if "seed" not in df.columns:
        return values.nunique() < len(df)
    table = table.assign(seed=df["seed"])
    if _varies_within(table, [*names, "sample_size", "seed"]):
        return True
    several = table.groupby([*names, "seed"], dropna=False)["sample_size"].nunique().max() > 1
    return bool(several) and not _varies_within(table, [*names, "seed"])


def _varies_within(table: pd.DataFrame, keys: Sequence[str]) -> bool:
    """Whether ``_value`` takes several values in a group of rows that agree in the keys."""
    pairs = table[[*keys, "_value"]].drop_duplicates()
    return bool(pairs.duplicated(list(keys)).any())
