"""All figures from a folder: finished, half done, without histories, not a sweep at all."""

import json
import shutil
from functools import partial

import pytest

from llr.errors import ResultsError
from llr.report import draw_all
from llr.report._draw import plots_of
from llr.report._figure_data import choose_runs
from llr.sweep import open_sweep

NAMES = [
    f"{name}.{suffix}"
    for name in ("test_error", "heat_map", "loss_curves")
    for suffix in ("png", "svg")
]


@pytest.fixture
def sweep_folder(finished_sweep, tmp_path):
    """A copy of a finished sweep, to be taken apart."""
    return shutil.copytree(finished_sweep, tmp_path / "copy")


def test_a_finished_sweep_gets_every_figure(sweep_folder):
    files = draw_all(sweep_folder)
    assert [file.relative_to(sweep_folder / "figures").as_posix() for file in files] == NAMES
    assert all(file.stat().st_size > 1000 for file in files)


def test_loss_curves_say_how_many_sample_sizes_they_leave_out(sweep_folder, monkeypatch):
    def caption():
        return plots_of(open_sweep(sweep_folder))["loss_curves"].keywords["caption"]

    assert caption() == ""
    monkeypatch.setattr("llr.report._draw.choose_runs", partial(choose_runs, per_model=2))
    assert caption() == "2 of 3 sample sizes"


def test_without_losses_there_are_no_loss_curves(sweep_folder):
    shutil.rmtree(sweep_folder / "histories")
    assert list(plots_of(open_sweep(sweep_folder))) == ["test_error", "heat_map"]


def test_results_alone_are_enough(sweep_folder, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(sweep_folder / "results.json", alone)
    assert list(plots_of(open_sweep(alone))) == ["test_error", "heat_map"]


def test_a_sweep_that_has_not_written_results_is_read_from_its_store(sweep_folder):
    written = open_sweep(sweep_folder)
    (sweep_folder / "results.json").unlink()
    running = open_sweep(sweep_folder)
    assert (running.n_runs, running.n_finished, running.is_complete) == (24, 24, True)
    columns = ["id", "sample_size", "test_mse", "optimistic_sample_size"]
    assert running.runs[columns].equals(written.runs[columns])
    assert running.config == written.config
    assert list(plots_of(running)) == ["test_error", "heat_map", "loss_curves"]


def test_a_sweep_whose_store_has_more_than_its_results_is_read_from_its_store(sweep_folder):
    results = sweep_folder / "results.json"
    content = json.loads(results.read_text())
    content |= {"n_finished": 20, "runs": content["runs"][:20]}
    results.write_text(json.dumps(content))
    (shard,) = (sweep_folder / "runs").iterdir()
    lines = shard.read_bytes().splitlines(keepends=True)
    shard.write_bytes(b"".join(lines[:22]) + lines[22][:40])
    running = open_sweep(sweep_folder)
    assert (running.n_runs, running.n_finished, running.is_complete) == (24, 22, False)


def test_no_run_yet_means_no_figure(sweep_folder):
    (sweep_folder / "results.json").unlink()
    for shard in (sweep_folder / "runs").iterdir():
        shard.unlink()
    assert draw_all(sweep_folder) == []
    assert open_sweep(sweep_folder).n_runs == 24


def test_a_folder_without_a_sweep_says_so_and_names_those_that_it_holds(finished_sweep, tmp_path):
    with pytest.raises(ResultsError, match=r"must be a results\.json or a folder that holds one"):
        draw_all(tmp_path / "nothing")
    shutil.copytree(finished_sweep, tmp_path / "mine")
    with pytest.raises(ResultsError, match=r"Sweeps there: mine\."):
        draw_all(tmp_path)


def test_no_window_opens_without_a_display(sweep_folder, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("llr.report._draw._open_windows", lambda plots: pytest.fail("opened"))
    assert len(draw_all(sweep_folder, show=True)) == 6


def test_windows_show_every_figure_where_there_is_a_display(sweep_folder, monkeypatch):
    import matplotlib.pyplot as plt

    shown = []
    plt.close("all")  # what other tests left open
    mine = plt.figure("mine")
    canvas = mine.canvas
    monkeypatch.setattr(type(canvas), "required_interactive_framework", "none at all")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(plt, "show", lambda: shown.extend(plt.get_figlabels()))
    draw_all(sweep_folder, show=True)
    assert shown == ["mine", "test_error", "heat_map", "loss_curves"]
    assert plt.get_figlabels() == ["mine"]
    plt.close(mine)
