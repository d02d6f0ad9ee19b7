"""What goes into the judgement of a reproduction and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from llr.reproduce._settings import Plan, Reproduction
from llr.reproduce._verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from llr.config import Config

__all__ = ["Finished", "Outcome"]

_ENDS = {"max_steps": "took all their steps", "max_time": "reached the end of time"}
"""Words for the statuses that are none."""


@dataclass(frozen=True)
class Finished:
    """A reproduction whose sweeps have all ended.

    Attributes:
        name: of the reproduction.
        settings: its YAML.
        optimizer: how it was trained; empty where nothing was.
        quick: whether this is the small size.
        runs: one row per run of all sweeps, with the columns of ``load_results``, ``variant``, and
            one for every value under trial (``lr``).
        sweeps: plan and config of every sweep.
    """

    name: str
    settings: Reproduction
    optimizer: str
    quick: bool
    runs: pd.DataFrame = field(repr=False)
    sweeps: Sequence[tuple[Plan, Config]] = field(default=(), repr=False)

    @property
    def tuned(self) -> list[str]:
        """Columns of ``runs`` that hold values under trial."""
        return list(dict.fromkeys(name for plan, _ in self.sweeps for name in plan.tuned_columns))

    @property
    def paper(self) -> dict[str, Any]:
        """The paper's figures."""
        return self.settings.paper

    @property
    def size(self) -> str:
        """What was trained, how it ended and how long it took, in a sentence."""
        if not self.sweeps:
            return "Nothing is trained."
        runs = self.runs
        if runs.empty:
            return f"{len(self.sweeps)} runs, each followed along its way."
        varied = {"scale": "scales", "init_std": "initial stds"} | {
            name: f"{name} chosen among" for name in self.tuned
        }
        parts = [
            f"{name} {', '.join(f'{value:g}' for value in sorted(runs[column].unique()))}"
            for column, name in varied.items()
            if column in runs and runs[column].nunique() > 1
        ]
        n, seeds = runs["sample_size"], runs.groupby("variant")["seed"].nunique()
        parts += [f"n = {n.min()} to {n.max()}", f"{_range(seeds)} seeds"]
        ends = ", ".join(
            f"{count} {_ENDS.get(str(status), status)}"
            for status, count in runs["status"].value_counts().items()
        )
        minutes = runs["seconds"].sum() / 60
        return (
            f"{len(runs)} runs ({'; '.join(parts)}): {ends}. "
            f"{minutes:.1f} minutes of one processor core."
        )


@dataclass(frozen=True)
class Outcome:
    """A judged reproduction.

    Attributes:
        verdict: the measured numbers beside the expected ones.
        figures: by file name.
        data: what the figures show, by file name.
    """

    verdict: Verdict
    figures: dict[str, Figure] = field(repr=False)
    data: dict[str, pd.DataFrame] = field(repr=False)


def _range(values: pd.Series) -> str:
    """``5``, or ``10 to 50``."""
    low, high = values.min(), values.max()
    return f"{low}" if low == high else f"{low} to {high}"
