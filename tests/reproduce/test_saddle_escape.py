"""Ranks along the flow."""

import numpy as np
import pandas as pd
import pytest

from llr.reproduce import Job
from llr.reproduce._saddle_escape import draw_trajectories, plateaus, trajectory


def steps(*parts):
    """A table of stretches: (rank, training error, moments)."""
    rows = [(rank, mse) for rank, mse, count in parts for _ in range(count)]
    ranks, errors = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "time": np.geomspace(1, 100, len(rows)),
            "rank": ranks,
            "train_mse": errors,
            "test_mse": errors,
            "clusters": np.nan,
        }
    )


def test_plateaus_are_where_neither_rank_nor_error_moves():
    found = plateaus(steps((0, 4.0, 5), (7, 0.3, 4), (12, 0.02, 3)))
    assert found["rank"].tolist() == [0, 7, 12]
    assert found["train_mse"].tolist() == [4.0, 0.3, 0.02]
    assert (found["end"] > found["start"]).all()


def test_a_pass_through_a_rank_is_no_plateau_but_the_end_is_one():
    found = plateaus(steps((0, 4.0, 5), (3, 2.0, 2), (7, 0.3, 4), (12, 1e-20, 1)))
    assert found["rank"].tolist() == [0, 7, 12]


def test_a_rank_whose_error_falls_is_no_plateau():
    falling = steps((0, 4.0, 5), (7, 1.0, 6), (12, 1e-9, 3))
    falling.loc[falling["rank"] == 7, "train_mse"] = np.geomspace(1.0, 1e-3, 6)
    assert plateaus(falling)["rank"].tolist() == [0, 12]


def test_the_diagonal_network_learns_one_coefficient_after_the_other():
    configs = {plan.variant: config for plan, config in Job("saddle-escape").sweeps()}
    table = trajectory(configs["diagonal network"], first=0.3, moments=40, tolerance=0.01)
    assert (table["rank"].diff().dropna() >= 0).all()
    assert set(table["rank"]) == {0, 1, 2, 3}
    assert table["train_mse"].iloc[-1] < 1e-12
    assert table["clusters"].isna().all()


@pytest.mark.parametrize("clusters", [np.nan, 2.0])
def test_a_panel_draws_losses_and_ranks_and_clusters_where_there_are_any(clusters):
    table = steps((0, 4.0, 5), (7, 0.3, 4)).assign(clusters=clusters)
    figure = draw_trajectories({"run": table})
    top, bottom = figure.axes
    assert len(top.lines) == 2
    assert len(bottom.lines) == (1 if np.isnan(clusters) else 2)
