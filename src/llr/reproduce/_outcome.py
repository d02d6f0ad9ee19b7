"""What goes into the judgement of a reproduction and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from llr.reproduce._settings import Plan, Reproduction
from llr.reproduce._verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from llr.sweep import Config

__all__ = ["Finished", "Outcome", "tuned_runs"]


@dataclass(frozen=True)
class Finished:
    """A reproduction whose sweeps have all ended.

    Attributes:
        name: of the reproduction.
        settings: its YAML.
        optimizer: how it was trained; empty where nothing was.
        quick: whether this is the small size.
        runs: one row a run of all sweeps, with the columns of ``load_results``, ``variant``, and
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


@dataclass(frozen=True)
class Outcome:
    """A judged reproduction.

    Attributes:
        verdict: what came out beside what was expected.
        figures: by file name.
        data: what the figures show, by file name.
    """

    verdict: Verdict
    figures: dict[str, Figure] = field(repr=False)
    data: dict[str, pd.DataFrame] = field(repr=False)


def tuned_runs(
    runs: pd.DataFrame, tuned: Sequence[str], *, by: Sequence[str], error: str = "test_mse"
) -> pd.DataFrame:
    """The runs with the values that give the least mean test error in each setting.

    A setting where some value's runs have all diverged counts them as infinitely wrong.

    Args:
        runs: one row a run.
        tuned: columns of the values under trial; none: all runs are returned.
        by: columns that make a setting.
        error: column of the test error.

    Returns:
        The rows of the best values, of ties the first.

    Example:
        >>> runs = pd.DataFrame({"n": [5, 5], "lr": [0.1, 0.5], "test_mse": [2.0, 1.0]})
        >>> tuned_runs(runs, ["lr"], by=["n"])["lr"].tolist()
        [0.5]
    """
    if not tuned:
        return runs
    finite = runs.assign(**{error: runs[error].where(np.isfinite(runs[error]), np.inf)})
    means = finite.groupby([*by, *tuned], dropna=False, sort=True)[error].mean().reset_index()
    best = means.loc[means.groupby(list(by), dropna=False, sort=False)[error].idxmin()]
    return runs.merge(best[[*by, *tuned]], on=[*by, *tuned], how="inner")
