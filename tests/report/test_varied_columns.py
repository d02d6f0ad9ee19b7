"""No curve, cell or statistic is averaged over runs that differ in more than their seed."""

import dataclasses
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llr.analysis import recovery_curve, summary_table, transition, transition_table
from llr.errors import InvalidInputError
from llr.report import plot_heat_map, plot_loss_curves, plot_test_error
from llr.report._display_names import exact
from llr.report._figure_data import choose_runs, curve_panels, heat_panels
from llr.report._page import render
from llr.report._page_data import page_data
from llr.sweep import open_sweep

VARIED = {
    "lr": (0.1, 0.5),
    "learning_rate": (1e-3, 1.0000001e-3),
    "optimizer": ("adam", "gradient_flow"),
    "target": ("paper", "three_bumps"),
    "noise_std": (0.0, 0.1),
    "noise": (1e-9, 1),
    "activation": ("tanh", "relu"),
    "init_method": ("normal", "default"),
    "depth": (2, 3),
    "hidden_bias": (False, True),
    "n_parameters": (700, 701),
}
"""A column that a config could set, and two values of it."""

TABLES = [recovery_curve, summary_table, partial(transition_table, n_bootstrap=20)]
PLOTS = [plot_test_error, plot_heat_map, lambda runs: plot_loss_curves(runs, histories_of(runs))]


def histories_of(runs):
    return {
        run: {name: [1.0, 10.0, 100.0] for name in ("at", "train_mse", "test_mse")}
        for run in runs.id
    }


@pytest.fixture(scope="module")
def mlp_runs(seed_runs):
    return seed_runs[(seed_runs.model == "mlp") & seed_runs.sample_size.isin([5, 50])]


def doubled(runs, column, values):
    """The runs, and again with another value of a column and test errors 1e4 times as large."""
    low, high = values
    other = {"id": "other-" + runs["id"], "test_mse": 1e4 * runs["test_mse"]}
    return pd.concat([runs.assign(**{column: low}), runs.assign(**{column: high}, **other)])


def halved_by_seed(runs, column, values):
    """The runs, one value of the column for half the seeds and the other for the rest."""
    low, high = values
    return runs.assign(**{column: np.where(runs["seed"] < 2, low, high)})


def texts(figure):
    return " ".join(text.get_text() for text in figure.findobj(lambda t: hasattr(t, "get_text")))


MIXED = [*((doubled, column) for column in VARIED), (halved_by_seed, "lr")]


@pytest.mark.parametrize(("mixed", "column"), MIXED)
def test_tables_split_by_every_column_that_a_config_could_set(mlp_runs, column, mixed):
    both = mixed(mlp_runs, column, VARIED[column])
    parts = dict(iter(both.groupby(column)))
    assert len(parts) == 2
    for table in TABLES:
        split = table(both)
        for value, runs in parts.items():
            mine = split[split[column] == value].drop(columns=column).reset_index(drop=True)
            alone = table(runs.drop(columns=column))
            pd.testing.assert_frame_equal(mine, alone, check_dtype=False)


@pytest.mark.parametrize(("mixed", "column"), MIXED)
def test_figures_split_by_every_column_that_a_config_could_set(mlp_runs, column, mixed):
    both = mixed(mlp_runs, column, VARIED[column])
    parts = dict(iter(both.groupby(column)))
    panels = curve_panels(both)
    assert [len(panel.curves) for panel in panels] == [1, 1]
    (heat,) = heat_panels(both)
    for panel, row, (value, runs) in zip(panels, heat.rows, parts.items(), strict=True):
        assert exact(value) in panel.title
        assert row.label == panel.title
        (alone,) = curve_panels(runs)[0].curves
        for field in dataclasses.fields(alone):
            np.testing.assert_array_equal(
                getattr(panel.curves[0], field.name), getattr(alone, field.name)
            )
        np.testing.assert_array_equal(row.values, alone.center)
    assert choose_runs(both)[column].nunique() == 1


@pytest.mark.parametrize("column", ["lr", "target"])
def test_drawn_figures_name_the_settings(mlp_runs, column):
    both = doubled(mlp_runs, column, VARIED[column])
    for plot in PLOTS:
        drawn = texts(plot(both))
        assert all(exact(value) in drawn for value in VARIED[column])


@pytest.mark.parametrize("column", VARIED)
def test_a_transition_of_two_settings_is_refused_by_name(mlp_runs, column):
    with pytest.raises(InvalidInputError, match=f"one setting, got 2 values of '{column}'"):
        transition(doubled(mlp_runs, column, VARIED[column]))


@pytest.mark.parametrize("mixed", [doubled, halved_by_seed])
@pytest.mark.parametrize("values", [(0.25, 0.5), ("left", "right"), (False, True)])
def test_a_column_of_unknown_meaning_is_refused_by_name_and_split_on_request(
    mlp_runs, values, mixed
):
    both = mixed(mlp_runs, "teacher", values)
    for function in (*TABLES, *PLOTS, transition, curve_panels, heat_panels, choose_runs):
        with pytest.raises(InvalidInputError, match="'teacher' has 2 values"):
            function(both)
    by = ["model", "teacher"]
    assert all(len(table(both, by=by)["teacher"].unique()) == 2 for table in TABLES)
    assert [panel.title for panel in curve_panels(both, by=by)] == [
        f"teacher {value}" for value in values
    ]


def test_figures_split_by_a_column_of_unknown_meaning_on_request(mlp_runs):
    both, by = doubled(mlp_runs, "teacher", (1, 2)), ["teacher"]
    histories = histories_of(both)
    for plot in (plot_test_error, plot_heat_map, partial(plot_loss_curves, histories=histories)):
        assert "teacher 2" in texts(plot(both, by=by))


def test_different_runs_that_no_column_tells_apart_are_refused(mlp_runs):
    both = doubled(mlp_runs, "teacher", (1, 2)).drop(columns="teacher")
    for function in (*TABLES, *PLOTS, transition, choose_runs):
        with pytest.raises(InvalidInputError, match="two different ones have model mlp, scale 10"):
            function(both)


def test_results_that_a_user_adds_are_no_settings(mlp_runs):
    random = np.random.default_rng(0)
    added = mlp_runs.assign(
        norm=random.normal(size=len(mlp_runs)),
        clusters=random.integers(1, 9, len(mlp_runs)),
        recovered=mlp_runs["test_mse"] < 1e-3,
        host="laptop",
        words=[f"row {i}" for i in range(len(mlp_runs))],
    )
    for table in TABLES:
        pd.testing.assert_frame_equal(table(added), table(mlp_runs))
    assert len(curve_panels(added)) == 1


def test_the_page_splits_as_the_figures_do(finished_sweep):
    sweep = open_sweep(finished_sweep)
    runs = doubled(sweep.runs, "optimizer", VARIED["optimizer"])
    mixed = dataclasses.replace(sweep, runs=runs)
    data = page_data(mixed)
    assert data["settings"] == [f"{n}x, optimizer {name}" for n in (1, 3) for name in
                                VARIED["optimizer"]]  # fmt: skip
    assert len(data["rows"]) == 2 * len(page_data(sweep)["rows"])
    assert "1x, optimizer adam" in render(mixed)


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**18), 10**18),
                min_size=2, max_size=5, unique=True))  # fmt: skip
def test_settings_of_different_values_never_share_a_name(values):
    assert len({exact(value) for value in values}) == len(values)
