"""What the figures and the page show, as plain numbers: no drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from llr.analysis import shared_value, summary_table
from llr.errors import check_choice
from llr.report._display_names import architecture_name, setting_columns, setting_name

__all__ = [
    "Center",
    "Curve",
    "CurvePanel",
    "HeatPanel",
    "HeatRow",
    "choose_runs",
    "curve_panels",
    "heat_panels",
    "label_settings",
    "optimistic_of",
]

Center = Literal["mean", "median", "geometric_mean"]


@dataclass(frozen=True)
class Curve:
    """The test error of one architecture against the number of samples.

    Attributes:
        model: architecture, as in the table.
        sample_size: (h,) ascending.
        center: mean, median or geometric mean of the test MSE, inf where a run diverged, (h,).
        low: lower end of the bar: one standard error, or the lower quartile for the median, (h,).
        high: upper end likewise.
        optimistic_sample_size: O, where known.
    """

    model: Any
    sample_size: np.ndarray
    center: np.ndarray
    low: np.ndarray
    high: np.ndarray
    optimistic_sample_size: int | None


@dataclass(frozen=True)
class CurvePanel:
    """The curves of all architectures at one setting."""

    title: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class HeatRow:
    """One row of a heat map: a setting, and the error at every column's sample size.

    Attributes:
        label: the setting in words.
        values: (columns,), inf where a run diverged, NaN where there are no runs.
        n_runs: (columns,).
        optimistic_sample_size: O, where known.
    """

    label: str
    values: np.ndarray
    n_runs: np.ndarray
    optimistic_sample_size: int | None


@dataclass(frozen=True)
class HeatPanel:
    """One heat map: the settings of an architecture, or all architectures of one setting."""

    title: str
    sample_sizes: np.ndarray
    rows: tuple[HeatRow, ...]


def curve_panels(
    df: pd.DataFrame, *, center: Center = "mean", by: Sequence[str] | None = None
) -> list[CurvePanel]:
    """Test error against sample size: one panel per setting, one curve per architecture."""
    cells = _cells(df, center, by)
    panels = []
    for setting in cells["setting"].unique():
        shown = cells.loc[cells["setting"] == setting]
        curves = [
            Curve(
                model=model,
                sample_size=one["sample_size"].to_numpy(dtype=np.float64),
                center=one[center].to_numpy(dtype=np.float64),
                low=_bar(one, center)[0],
                high=_bar(one, center)[1],
                optimistic_sample_size=optimistic_of(one),
            )
            for model, one in _by_model(shown).items()
        ]
        panels.append(CurvePanel(setting, tuple(curves)))
    return panels


def heat_panels(
    df: pd.DataFrame, *, center: Center = "mean", by: Sequence[str] | None = None
) -> list[HeatPanel]:
    """The papers' heat map: one panel per architecture, one row per setting.

    Where there is one setting only, one panel holds a row for every architecture.
    """
    cells = _cells(df, center, by)
    sizes = np.unique(cells["sample_size"].to_numpy(dtype=np.float64))

    def row(label: str, one: pd.DataFrame) -> HeatRow:
        at = one.set_index("sample_size")
        return HeatRow(
            label=label,
            values=at[center].reindex(sizes).to_numpy(dtype=np.float64),
            n_runs=at["n_runs"].reindex(sizes, fill_value=0).to_numpy(dtype=np.int64),
            optimistic_sample_size=optimistic_of(one),
        )

    models = _by_model(cells)
    settings = cells["setting"].unique()
    if len(settings) == 1:
        rows = [row(architecture_name(model), one) for model, one in models.items()]
        return [HeatPanel("", sizes, tuple(rows))]
    return [
        HeatPanel(
            architecture_name(model),
            sizes,
            tuple(
                row(setting, one.loc[one["setting"] == setting])
                for setting in settings
                if (one["setting"] == setting).any()
            ),
        )
        for model, one in models.items()
    ]


def choose_runs(df: pd.DataFrame, *, per_model: int = 8) -> pd.DataFrame:
    """A few runs to show of a sweep: for each architecture, from few samples to many.

    They are those of the first setting and seed of the architecture, at sample sizes spread evenly
    over those of the sweep, the smallest and the largest included.

    Args:
        df: one row per run.
        per_model: how many at the most for each architecture, >= 2.

    Returns:
        The chosen rows.
    """
    chosen = []
    for runs in _by_model(label_settings(df)).values():
        runs = runs.loc[runs["setting"] == runs["setting"].iloc[0]]
        runs = runs.loc[runs["seed"] == runs["seed"].min()]
        runs = runs.drop_duplicates("sample_size").sort_values("sample_size")
        positions = np.unique(np.linspace(0, len(runs) - 1, per_model).round().astype(int))
        chosen.append(runs.iloc[positions])
    return pd.concat(chosen)


def label_settings(df: pd.DataFrame, by: Sequence[str] | None = None) -> pd.DataFrame:
    """The runs with a column ``setting``, in words, sorted by it, and a ``model``.

    Models keep their order within a setting, so that settings and models keep the order in
    which they first appear. Settings are told apart by the columns of ``by``, see
    :func:`setting_columns`.
    """
    columns = setting_columns(df, by)
    code = (
        df.groupby(columns, dropna=False).ngroup().to_numpy()
        if columns
        else np.zeros(len(df), dtype=np.int64)
    )
    firsts = df.iloc[np.unique(code, return_index=True)[1]][columns].astype(object)
    rows = firsts.where(firsts.notna(), None).to_numpy()
    names = np.array(
        [setting_name(dict(zip(columns, row, strict=True)), columns) for row in rows], dtype=object
    )
    order = np.argsort(code, kind="stable")
    model = {} if "model" in df.columns else {"model": "all runs"}
    return df.assign(setting=names[code] if len(df) else "", **model).iloc[order]


def optimistic_of(cells: pd.DataFrame) -> int | None:
    """The optimistic sample size that all cells share."""
    value = shared_value(cells, "optimistic_sample_size")
    return None if value is None else int(value)


def _cells(df: pd.DataFrame, center: Center, by: Sequence[str] | None) -> pd.DataFrame:
    """The summary of a table by architecture, setting and sample size."""
    check_choice("center", center, get_args(Center))
    return summary_table(label_settings(df, by), by=["model", "setting"])


def _by_model(table: pd.DataFrame) -> dict[Any, pd.DataFrame]:
    """The rows of each architecture, in order of appearance."""
    return {model: table.loc[table["model"] == model] for model in table["model"].unique()}


def _bar(cells: pd.DataFrame, center: Center) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the bars; a single run has a bar without width."""
    column = cells[center].to_numpy(dtype=np.float64)
    if center == "median":
        return cells["q25"].to_numpy(np.float64), cells["q75"].to_numpy(np.float64)
    if center == "mean":
        spread = cells["standard_error"].fillna(0.0).to_numpy(dtype=np.float64)
        return column - spread, column + spread
    factor = cells["geometric_factor"].fillna(1.0).to_numpy(dtype=np.float64)
    return column / factor, column * factor
