"""What the figures show, as numbers."""

import math

import numpy as np
import pandas as pd
import pytest

from llr.errors import InvalidInputError
from llr.report._display_names import setting_columns, setting_name, short_number
from llr.report._figure_data import choose_runs, curve_panels, heat_panels


def test_a_width_that_follows_from_the_scale_is_no_setting_of_its_own(paper_runs):
    assert setting_columns(paper_runs) == ["scale"]
    assert setting_columns(paper_runs[paper_runs.scale == 1]) == []


def test_whatever_varies_tells_settings_apart(seed_runs):
    both = pd.concat([seed_runs, seed_runs.assign(width=99, init_std=1e-4)])
    assert setting_columns(both) == ["width"]  # the initialisation follows from it
    crossed = pd.concat([both, both.assign(init_std=1e-2)])
    assert setting_columns(crossed) == ["width", "init_std"]
    unscaled = both.assign(scale=None)
    assert setting_columns(unscaled) == ["width"]


def test_settings_are_named_as_in_the_papers():
    setting = {"model": "mlp", "scale": 34, "init_std": 1e-4}
    assert setting_name(setting, ["scale", "init_std"]) == "34x, std 1e-4"
    assert setting_name({"scale": None, "width": 300}, ["scale", "width"]) == "width 300"
    assert setting_name(setting, []) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.3, "0.3"), (1.0, "1.0"), (12.3, "12"), (2e-4, "2e-4"), (9.96e-5, "1e-4"), (3e7, "3e7"),
     (0.094, "9e-2"), (0.0951, "0.1"), (9.96, "10"), (99.6, "1e2"), (1e-300, "1e-300")],
)  # fmt: skip
def test_numbers_fit_their_cells(value, text):
    assert short_number(value) == text


def test_heat_map_has_a_panel_an_architecture_and_a_row_a_scale(paper_runs):
    panels = heat_panels(paper_runs)
    assert [panel.title for panel in panels] == ["Fully connected", "Unshared CNN", "Shared CNN"]
    assert [row.label for row in panels[0].rows] == ["1x", "10x"]
    for panel, model in zip(panels, ("mlp", "cnn_noshare", "cnn_shared"), strict=True):
        assert panel.sample_sizes.tolist() == list(range(1, 41))
        for row, scale in zip(panel.rows, (1, 10), strict=True):
            runs = paper_runs[(paper_runs.model == model) & (paper_runs.scale == scale)]
            for n, value in enumerate(row.values, start=1):
                errors = runs[runs.sample_size == n].test_mse
                assert value == pytest.approx(sum(errors) / 3, rel=1e-12)
            assert row.n_runs.tolist() == [3] * 40


def test_heat_map_of_one_scale_has_a_row_an_architecture(seed_runs):
    (panel,) = heat_panels(seed_runs, center="median")
    assert [row.label for row in panel.rows] == ["Fully connected", "Unshared CNN", "Shared CNN"]
    assert [row.optimistic_sample_size for row in panel.rows] == [21, 15, 7]


def test_cells_without_runs_are_nan_and_with_a_diverged_run_infinite(seed_runs):
    runs = seed_runs[~((seed_runs.model == "mlp") & (seed_runs.sample_size == 50))].copy()
    runs.loc[(runs.model == "mlp") & (runs.sample_size == 20) & (runs.seed == 0), "test_mse"] = (
        math.nan
    )
    row = heat_panels(runs)[0].rows[0]
    assert np.isnan(row.values).tolist() == [False, False, False, True, False, False]
    assert np.isposinf(row.values).tolist() == [False, False, True, False, False, False]
    assert row.n_runs.tolist() == [5, 5, 5, 0, 5, 5]


def test_bars_are_one_standard_error_or_the_quartiles(seed_runs):
    cell = seed_runs[(seed_runs.model == "mlp") & (seed_runs.sample_size == 10)].test_mse
    mean, spread = cell.mean(), cell.std() / math.sqrt(5)
    curve = curve_panels(seed_runs)[0].curves[0]
    assert (curve.low[1], curve.high[1]) == pytest.approx((mean - spread, mean + spread))
    curve = curve_panels(seed_runs, center="median")[0].curves[0]
    assert (curve.low[1], curve.high[1]) == (sorted(cell)[1], sorted(cell)[3])
    curve = curve_panels(seed_runs, center="geometric_mean")[0].curves[0]
    factor = np.exp(np.log(cell).std() / math.sqrt(5))
    assert curve.high[1] / curve.center[1] == pytest.approx(factor)
    assert curve.center[1] / curve.low[1] == pytest.approx(factor)


def test_a_single_run_has_a_bar_without_width(seed_runs):
    curve = curve_panels(seed_runs.iloc[:1])[0].curves[0]
    assert curve.low == curve.center == curve.high


def test_chosen_runs_go_from_few_samples_to_many(paper_runs):
    chosen = choose_runs(paper_runs, per_model=4)
    for model in ("mlp", "cnn_noshare", "cnn_shared"):
        assert chosen[chosen.model == model].sample_size.tolist() == [1, 14, 27, 40]
    assert (chosen.scale == 1).all()
    assert (chosen.seed == 0).all()


def test_an_unknown_centre_names_the_valid_ones(seed_runs):
    with pytest.raises(InvalidInputError, match="mean 'median'"):
        curve_panels(seed_runs, center="medain")
