"""Figures: what stands where, and that nothing but the figure changes."""

import math
import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from llr.analysis import condensation
from llr.errors import InvalidInputError
from llr.report import (
    plot_condensation,
    plot_heat_map,
    plot_loss_curves,
    plot_test_error,
    save_figure,
)
from llr.report._heat_map import boundary

PLOTS = [plot_test_error, plot_heat_map]


def texts(figure):
    """Every text of a figure."""
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def hard_cases(runs):
    """Tables that break careless drawing."""
    mlp = runs.model == "mlp"
    return {
        "all diverged": runs.assign(test_mse=math.nan),
        "all zero": runs.assign(test_mse=0.0),
        "some zero, some infinite": runs.assign(
            test_mse=np.where(mlp, 0.0, np.where(runs.seed == 1, math.inf, runs.test_mse))
        ),
        "one run": runs.iloc[:1],
        "missing cells": runs[~(mlp & (runs.sample_size == 20))],
        "one sample size": runs[runs.sample_size == 20],
        "tiny and huge": runs.assign(test_mse=np.where(mlp, 1e-320, 1e300)),
        "no theory": runs.drop(columns="optimistic_sample_size"),
        "theory beyond": runs.assign(optimistic_sample_size=1000),
        "no model": runs[mlp].drop(columns="model"),
        "eight architectures": pd.concat(
            [runs[mlp].assign(model=f"architecture number {i} $x_") for i in range(8)]
        ),
        "many settings": pd.concat([runs[mlp].assign(scale=i, width=3 * i) for i in range(1, 31)]),
    }


CASES = [
    "all diverged", "all zero", "some zero, some infinite", "one run", "missing cells",
    "one sample size", "tiny and huge", "no theory", "theory beyond", "no model",
    "eight architectures", "many settings",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("plot", PLOTS)
def test_hard_tables_are_drawn_without_a_warning(plot, case, seed_runs, tmp_path):
    runs = hard_cases(seed_runs)[case]
    figure = plot(runs)
    figure.savefig(tmp_path / "figure.png", dpi=40)
    width, height = figure.get_size_inches()
    assert 2 < width < 8
    assert 1 < height < 60


def test_the_dashed_line_stands_at_the_optimistic_sample_size(paper_runs):
    for ax in plot_test_error(paper_runs).axes:
        dashed = [line for line in ax.lines if line.is_dashed()]
        assert [line.get_xdata()[0] for line in dashed] == [21, 15, 7]


def test_the_dashed_line_of_the_heat_map_stands_before_the_first_sufficient_column(seed_runs):
    sizes = np.array([5.0, 10, 20, 50, 100, 200])
    assert boundary(sizes, 20) == 1.5
    assert boundary(sizes, 21) == 2.5
    assert boundary(sizes, 3) == -0.5
    assert boundary(sizes, 201) is None
    assert boundary(sizes, None) is None
    ax = plot_heat_map(seed_runs).axes[0]
    dashed = [line for line in ax.lines if line.is_dashed()]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in dashed] == [
        (2.5, -0.5),
        (1.5, 0.5),
        (0.5, 1.5),
    ]


def test_cells_have_the_colour_of_their_error(seed_runs):
    runs = seed_runs[seed_runs.seed == 0].assign(test_mse=lambda t: 10.0 ** -(t.sample_size / 20))
    pixels = plot_heat_map(runs).axes[0].images[0].get_array()
    for j, n in enumerate([5, 10, 20, 50, 100, 200]):
        share = min(max(1 - n / 20 / 6, 0), 1)
        np.testing.assert_allclose(pixels[0, j], mpl.colormaps["viridis"](share))


def test_few_cells_hold_their_number_and_a_cross_where_a_run_diverged(seed_runs):
    runs = seed_runs.copy()
    runs.loc[(runs.model == "mlp") & (runs.sample_size == 5), "test_mse"] = math.inf
    written = [text.get_text() for text in plot_heat_map(runs).axes[0].texts]
    assert len(written) == 18
    assert written[0] == "\N{MULTIPLICATION SIGN}"
    assert written[-1] == "1e-8"


def test_errors_that_a_logarithmic_axis_cannot_show_are_marked_at_its_ends(seed_runs):
    runs = seed_runs[(seed_runs.model == "mlp") & (seed_runs.seed == 0)].assign(
        test_mse=[0.5, math.nan, 1e-3, 1e-5, 0.0, 0.0]
    )
    ax = plot_test_error(runs).axes[0]
    bottom, top = ax.get_ylim()
    marks = {line.get_marker(): line for line in ax.lines if line.get_mfc() == "white"}
    assert marks["x"].get_xydata().tolist() == [[10, top]]
    assert marks["v"].get_xydata().tolist() == [[100, bottom], [200, bottom]]


def test_where_runs_diverged_is_a_cross_however_finite_their_last_error(seed_runs):
    runs = seed_runs.assign(status="converged")
    assert "a run diverged" not in texts(plot_test_error(runs))
    runs.loc[(runs.model == "mlp") & (runs.sample_size == 5) & (runs.seed == 0), "status"] = (
        "diverged"
    )
    figure = plot_test_error(runs)
    (cross,) = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert cross.get_xydata().tolist() == [[5, figure.axes[0].get_ylim()[1]]]
    assert "a run diverged" in texts(figure)
    assert plot_heat_map(runs).axes[0].texts[0].get_text() == "\N{MULTIPLICATION SIGN}"


def test_markers_at_the_ends_of_the_axis_are_whole(seed_runs):
    curves = [
        line for line in plot_test_error(seed_runs).axes[0].lines if line.get_marker() in "osD"
    ]
    assert len(curves) == 3
    assert not any(line.get_clip_on() for line in curves)


def test_the_rows_of_the_legend_read_as_given_the_dashed_line_last(seed_runs):
    figure = plot_test_error(seed_runs[seed_runs.model != "cnn_noshare"])
    figure.draw_without_rendering()
    words = figure.legends[0].get_texts()
    boxes = [word.get_window_extent() for word in words]
    order = sorted(range(len(words)), key=lambda i: (-round(boxes[i].y0), boxes[i].x0))
    assert [words[i].get_text() for i in order] == [
        "Fully connected (O = 21)", "Shared CNN (O = 7)", "optimistic size O",
    ]  # fmt: skip


@pytest.mark.parametrize("n_settings", [1, 2, 3])
def test_the_legend_fits_the_figure(n_settings, seed_runs):
    runs = pd.concat([seed_runs.assign(scale=i) for i in range(n_settings)])
    figure = plot_test_error(runs)
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert legend.x1 < figure.bbox.x1
    assert legend.y0 > max(ax.get_window_extent().y1 for ax in figure.axes)


def test_names_are_shown_as_they_are(seed_runs):
    runs = seed_runs[seed_runs.model == "mlp"].assign(model="a$b_c$ <script>")
    for plot in PLOTS:
        assert any(r"a\$b_c\$ <script>" in text for text in texts(plot(runs)))


def test_all_text_is_readable_at_seven_centimetres(seed_runs, paper_runs):
    for figure in (plot_test_error(seed_runs), plot_heat_map(seed_runs), plot_heat_map(paper_runs)):
        shrink = (7 / 2.54) / figure.get_size_inches()[0]
        sizes = [t.get_fontsize() for t in figure.findobj(mpl.text.Text) if t.get_text()]
        assert min(sizes) * shrink > 5


def test_too_many_settings_show_an_even_choice_and_say_so(seed_runs):
    figure = plot_test_error(hard_cases(seed_runs)["many settings"])
    assert len(figure.axes) <= 24
    assert any(re.search(r"\d+ of 30 settings", text) for text in texts(figure))


def test_loss_curves_show_every_run_with_a_history(seed_runs):
    runs = seed_runs[seed_runs.seed == 0]
    history = {"at": [0, 1, 10], "train_mse": [1.0, 0.1, None], "test_mse": [1.0, 0.2, 0.0]}
    figure = plot_loss_curves(runs, dict.fromkeys(runs.id[:12], history))
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["Fully connected", "Unshared CNN"]
    assert [len(ax.lines) for ax in figure.axes] == [12, 12]
    with pytest.raises(InvalidInputError, match="have a history of losses, got none"):
        plot_loss_curves(runs, {})


@pytest.mark.parametrize("n_models", [1, 2, 3])
@pytest.mark.parametrize("scale", [1, 10**4])
def test_the_legend_of_loss_curves_fits_the_figure(n_models, scale, seed_runs):
    runs = seed_runs[seed_runs.seed == 0].assign(sample_size=lambda t: scale * t.sample_size)
    runs = runs[runs.model.isin(runs.model.unique()[:n_models])]
    history = {"at": [0, 1, 10], "train_mse": [1.0, 0.1, None], "test_mse": [1.0, 0.2, 0.0]}
    figure = plot_loss_curves(runs, dict.fromkeys(runs.id, history))
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert 0 < legend.x0 < legend.x1 < figure.bbox.x1
    assert legend.y0 > max(ax.get_window_extent().y1 for ax in figure.axes)


def test_loss_curves_say_which_runs_they_are(seed_runs):
    runs = seed_runs[seed_runs.seed == 0].assign(scale=4, init_std=1e-10)
    history = {"at": [0, 1, 10], "train_mse": [1.0, 0.1, None], "test_mse": [1.0, 0.2, 0.0]}
    histories = dict.fromkeys(runs.id, history)
    told = texts(plot_loss_curves(runs, histories, caption="6 of 40 sample sizes"))
    assert "scale 4, std 1e-10, seed 0, 6 of 40 sample sizes" in told
    assert "Shared CNN" in told
    runs.loc[runs.model == "mlp", "scale"] = 5
    told = texts(plot_loss_curves(runs, histories))
    assert "Fully connected, scale 5, std 1e-10, seed 0" in told


def test_the_condensation_figure_frames_every_cluster():
    figure = plot_condensation(condensation([[1.0, 0], [2, 0], [1, 0.01], [0, 1], [0, 2]]))
    ax = figure.axes[0]
    assert ax.get_title(loc="left") == "5 neurons in 2 clusters"
    assert [line.get_xdata().max() for line in ax.lines] == [2.5, 4.5]
    assert not plot_condensation(condensation([[0.0, 0.0]])).axes[0].images


def test_a_saved_figure_is_a_png_and_an_svg_the_same_every_time(seed_runs, tmp_path):
    first = [path.read_bytes() for path in save_figure(plot_heat_map(seed_runs), tmp_path / "a.b")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.b.png", "a.b.svg"]
    again = [path.read_bytes() for path in save_figure(plot_heat_map(seed_runs), tmp_path / "a.b")]
    assert first == again
    assert first[0].startswith(b"\x89PNG")
    assert b"</svg>" in first[1]


def test_the_users_settings_neither_change_nor_matter(seed_runs):
    with mpl.rc_context({"font.size": 30, "axes.spines.top": True}):
        before = dict(mpl.rcParams)
        figure = plot_test_error(seed_runs)
        assert dict(mpl.rcParams) == before
        assert figure.axes[0].xaxis.label.get_fontsize() == 8
        assert not figure.axes[0].spines["top"].get_visible()


def test_a_figure_of_the_users_own_is_drawn_into(seed_runs):
    mine = mpl.figure.Figure()
    assert plot_heat_map(seed_runs, figure=mine) is mine
    assert mine.axes


def test_limits_that_are_no_scale_are_refused(seed_runs):
    with pytest.raises(InvalidInputError, match="positive and ascending"):
        plot_heat_map(seed_runs, limits=(0.0, 1.0))


def test_drawing_needs_neither_windows_nor_the_pages_libraries():
    heavy = {"matplotlib.pyplot", "plotly", "jinja2"}
    code = f"import sys, llr.report; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
