"""What the figures and the page show, as plain numbers: no drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from llr.analysis import summary_table
from llr.errors import check_choice
from llr.report._names import architecture_name, setting_columns, setting_name

__all__ = [
    "Center",
    "Curve",
    "CurvePanel",
    "HeatPanel",
    "HeatRow",
    "choose_runs",
    "curve_panels",
    "heat_panels",
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
        values: (columns,), inf where a run diverged, NaN where there is no run.
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


def curve_panels(df: pd.DataFrame, *, center: Center = "mean") -> list[CurvePanel]:
    """Test error against sample size: a panel a setting, a curve an architecture."""
    summary, columns = _summary(df, center)
    panels = []
    for title, cells in _by_setting(summary, columns).items():
        curves = [
            Curve(
                model=model,
                sample_size=one["sample_size"].to_numpy(dtype=np.float64),
                center=one[center].to_numpy(dtype=np.float64),
                low=_bar(one, center)[0],
                high=_bar(one, center)[1],
                optimistic_sample_size=_optimistic(one),
            )
            for model, one in _by_model(cells).items()
        ]
        panels.append(CurvePanel(title, tuple(curves)))
    return panels


def heat_panels(df: pd.DataFrame, *, center: Center = "mean") -> list[HeatPanel]:
    """The papers' heat map: a panel an architecture and a row a setting.

    Where there is one setting only, one panel holds a row for every architecture.
    """
    summary, columns = _summary(df, center)
    sizes = np.unique(summary["sample_size"].to_numpy(dtype=np.float64))

    def row(label: str, cells: pd.DataFrame) -> HeatRow:
        at = cells.set_index("sample_size")
        return HeatRow(
            label=label,
            values=at[center].reindex(sizes).to_numpy(dtype=np.float64),
            n_runs=at["n_runs"].reindex(sizes, fill_value=0).to_numpy(dtype=np.int64),
            optimistic_sample_size=_optimistic(cells),
        )

    models = _by_model(summary)
    if not columns:
        rows = [row(architecture_name(model), cells) for model, cells in models.items()]
        return [HeatPanel("", sizes, tuple(rows))]
    return [
        HeatPanel(
            architecture_name(model),
            sizes,
            tuple(row(label, one) for label, one in _by_setting(cells, columns).items()),
        )
        for model, cells in models.items()
    ]


def choose_runs(df: pd.DataFrame, *, per_model: int = 5) -> pd.DataFrame:
    """A few runs that tell the story of a sweep: for each architecture, from few to many samples.

    Taken are the first setting and seed of the architecture, at sample sizes spread evenly
    over those of the sweep, the smallest and the largest included.

    Args:
        df: one row a run.
        per_model: how many at the most for each architecture, >= 2.

    Returns:
        The chosen rows.
    """
    chosen = []
    for runs in _by_model(df).values():
        for name in ("scale", "width", "init_std", "seed"):
            if name in runs.columns and (known := runs[name].dropna()).size:
                runs = runs.loc[runs[name] == known.min()]
        runs = runs.drop_duplicates("sample_size").sort_values("sample_size")
        positions = np.unique(np.linspace(0, len(runs) - 1, per_model).round().astype(int))
        chosen.append(runs.iloc[positions])
    return pd.concat(chosen)


def _summary(df: pd.DataFrame, center: Center) -> tuple[pd.DataFrame, list[str]]:
    """The summary of a table by architecture and setting, and the setting's columns."""
    check_choice("center", center, get_args(Center))
    columns = setting_columns(df)
    by = [*(["model"] if "model" in df.columns else []), *columns]
    return summary_table(df, by=by), columns


def _by_model(table: pd.DataFrame) -> dict[Any, pd.DataFrame]:
    """The rows of each architecture, in order of appearance."""
    if "model" not in table.columns:
        return {"all runs": table}
    return {model: table.loc[table["model"] == model] for model in table["model"].unique()}


def _by_setting(cells: pd.DataFrame, columns: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The rows of each setting, ascending, by the setting in words."""
    if not columns:
        return {"": cells}
    ordered = cells.sort_values(list(columns), kind="stable")
    names = ordered[list(columns)].apply(
        lambda row: setting_name({k: None if pd.isna(v) else v for k, v in row.items()}, columns),
        axis=1,
    )
    return {name: ordered.loc[names == name] for name in names.unique()}


def _optimistic(cells: pd.DataFrame) -> int | None:
    """The optimistic sample size that all cells share."""
    values = cells["optimistic_sample_size"].dropna().unique()
    return int(values[0]) if len(values) == 1 else None


def _bar(cells: pd.DataFrame, center: Center) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the bars; a bar without width where one run leaves no spread."""
    column = cells[center].to_numpy(dtype=np.float64)
    if center == "median":
        return cells["q25"].to_numpy(np.float64), cells["q75"].to_numpy(np.float64)
    if center == "mean":
        spread = cells["standard_error"].fillna(0.0).to_numpy(dtype=np.float64)
        return column - spread, column + spread
    factor = cells["geometric_factor"].fillna(1.0).to_numpy(dtype=np.float64)
    return column / factor, column * factor
