"""The numbers behind the page: aggregated, and a bounded choice of single runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from llr.analysis import NOT_TRAINED, counted_error, errors_of, summary_table
from llr.report._display_names import architecture_name, colour_of
from llr.report._figure_data import label_settings, optimistic_of
from llr.sweep import History, StoredSweep

__all__ = ["choose_evenly", "page_data"]

MOST_RUNS = 2000
"""Single runs in a page; with their losses they take about 3 MB."""

_MOST_MOMENTS = 60
"""Points of a loss curve, at the most."""

_MOST_PARAMETERS = 50_000
"""Trained parameters in a page, at the most; one run may take a tenth of them."""

_STATISTICS = (
    "mean",
    "median",
    "geometric_mean",
    "share",
    "standard_error",
    "low",
    "high",
    "n_runs",
    "n_diverged",
)

_CELL = ["model", "setting", "sample_size"]

_SHOWN_ELSEWHERE = {*_CELL, "id", "chunk", "train_mse", "test_mse", "optimistic_sample_size"}


def page_data(sweep: StoredSweep, *, most_runs: int = MOST_RUNS) -> dict[str, Any]:
    """What the page's scripts draw, as JSON values; numbers that are not finite are None.

    Args:
        sweep: with at least one run that was trained.
        most_runs: single runs at the most.

    Returns:
        ``architectures`` (name, colour), ``settings`` (names), ``sizes``; ``rows``: architecture
        and setting by position, optimistic sample size, and for every size the statistics and
        the positions of its runs in ``runs``; ``runs``: single runs with details, losses and,
        where kept, parameters; ``n_runs``, of which the rows are made.
    """
    trained = label_settings(sweep.runs.loc[sweep.runs["status"] != NOT_TRAINED])
    cells = summary_table(trained, by=_CELL[:2])
    chosen = choose_evenly(trained, most=most_runs)
    places = chosen.groupby(_CELL, sort=False).indices
    models, settings = list(trained["model"].unique()), list(trained["setting"].unique())
    sizes = np.unique(trained["sample_size"].to_numpy())
    colours = colour_of(models)
    rows = []
    for (model, setting), one in cells.groupby(_CELL[:2], sort=False):
        at = one.set_index("sample_size").reindex(sizes)
        rows.append(
            {
                "architecture": models.index(model),
                "setting": settings.index(setting),
                "optimistic": optimistic_of(one),
                **{name: _numbers(at[name]) for name in _STATISTICS},
                "runs": [np.asarray(places.get((model, setting, n), [])).tolist() for n in sizes],
            }
        )
    return {
        "architectures": [{"name": architecture_name(m), "colour": colours[m]} for m in models],
        "settings": settings,
        "sizes": sizes.tolist(),
        "rows": rows,
        "runs": _runs(sweep, chosen),
        "n_runs": len(trained),
    }


def choose_evenly(df: pd.DataFrame, *, most: int) -> pd.DataFrame:
    """Single runs of every cell: the one of median error first, then by seed.

    Args:
        df: one row per run, with a column ``setting``.
        most: how many at the most; if there are more cells than that, an even choice of them.

    Returns:
        The chosen rows: the first of every cell, then the second of every cell, and so on.
    """
    ranked = df.assign(error=errors_of(df)).groupby(_CELL, sort=False)["error"]
    middle = (ranked.transform("size") + 1) // 2
    ordered = df.assign(late=ranked.rank(method="first") != middle)
    ordered = ordered.sort_values(["late", "seed"], kind="stable").drop(columns="late")
    turn = ordered.groupby(_CELL, sort=False).cumcount().to_numpy()
    ordered = ordered.iloc[np.argsort(turn, kind="stable")]
    n_cells = int((turn == 0).sum())
    if n_cells > most:
        return ordered.iloc[np.linspace(0, n_cells - 1, most).round().astype(int)]
    return ordered.iloc[:most]


def _runs(sweep: StoredSweep, chosen: pd.DataFrame) -> list[dict[str, Any]]:
    """Single runs as the page shows them."""
    histories = sweep.histories(chosen["id"])
    details = [name for name in chosen.columns if name not in _SHOWN_ELSEWHERE]
    room = _MOST_PARAMETERS
    runs = []
    for row in chosen.to_dict("records"):
        parameters = _parameters(sweep, row["id"]) if room > 0 else None
        room -= sum(len(values) for values in (parameters or {}).values())
        runs.append(
            {
                "id": row["id"],
                "n": _value(row["sample_size"]),
                "train": _value(counted_error(row["train_mse"], row["status"])),
                "test": _value(counted_error(row["test_mse"], row["status"])),
                "details": {
                    name: value
                    for name in details
                    if (value := _value(row[name])) is not None and value != ""
                },
                "history": _thinned(histories.get(row["id"])),
                "parameters": parameters,
            }
        )
    return runs


def _parameters(sweep: StoredSweep, run_id: str) -> dict[str, list[float | None]] | None:
    """Final parameters of a run as flat lists, named with their shapes."""
    kept = sweep.parameters(run_id)
    if kept is None or sum(value.numel() for value in kept.values()) > _MOST_PARAMETERS // 10:
        return None
    return {
        f"{name} ({' x '.join(map(str, value.shape))})": _numbers(value.double().numpy().ravel())
        for name, value in kept.items()
    }


def _thinned(history: History | None) -> dict[str, list[float | None]] | None:
    """A loss curve at a bounded number of its points, the first and the last included."""
    if history is None:
        return None
    length = len(history["at"])
    kept = np.unique(np.linspace(0, length - 1, min(length, _MOST_MOMENTS)).round().astype(int))
    return {
        name: [_value(history[name][i]) for i in kept] for name in ("at", "train_mse", "test_mse")
    }


def _numbers(values: Sequence[Any] | pd.Series | np.ndarray) -> list[float | None]:
    """JSON numbers of four digits."""
    return [_value(value) for value in np.asarray(values, dtype=np.float64)]


def _value(value: Any) -> Any:
    """A JSON value: numbers to four digits, integers exact, None where not finite."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA:
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 1e15 else float(f"{value:.4g}")
    return value
