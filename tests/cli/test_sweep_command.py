"""``llr sweep`` and ``llr plot``: the grid, its results, its figures; stopped and gone on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def runs(folder: Path) -> dict[str, dict]:
    """Runs of a results file by id, without their times."""
    results = json.loads((folder / "results.json").read_text())
    return {run["id"]: {k: v for k, v in run.items() if k != "seconds"} for run in results["runs"]}


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(llr, folder: Path):
    result = llr("sweep", "--dry-run", "sweep.seeds=3")
    assert result.exit_code == 0
    assert result.stdout.startswith("12 runs: 2 models x ")
    assert not (folder / "outputs").exists()


def test_a_sweep_writes_results_and_figures(llr, folder: Path):
    result = llr("sweep", "--quiet", "--no-show")
    assert result.exit_code == 0
    assert "8 runs in outputs/small: 8 trained now" in result.stdout.replace(os.sep, "/")
    small = folder / "outputs/small"
    assert len(runs(small)) == 8
    assert (small / "results.csv").is_file()
    assert (folder / "outputs/results.json").read_bytes() == (small / "results.json").read_bytes()
    for name in ("test_error", "heat_map"):
        assert (small / f"figures/{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (small / f"figures/{name}.svg").read_text()


@pytest.mark.usefixtures("no_figures")
def test_the_same_command_again_trains_nothing_and_more_seeds_only_what_is_missing(llr):
    llr("sweep", "--no-show")
    assert " 0 trained now" in llr("sweep", "--no-show").stdout
    assert " 4 trained now" in llr("sweep", "--no-show", "sweep.seeds=3").stdout


@pytest.mark.usefixtures("no_figures")
def test_force_starts_over_in_a_new_folder_and_deletes_nothing(llr, folder: Path):
    llr("sweep", "--no-show")
    before = (folder / "outputs/small/results.json").read_bytes()
    result = llr("sweep", "--force", "--no-show", "training.lr=0.2")
    assert result.exit_code == 0
    assert (folder / "outputs/small/results.json").read_bytes() == before
    assert len(runs(folder / "outputs/small-2")) == 8


@pytest.mark.usefixtures("no_figures")
def test_another_sweep_in_the_same_folder_is_refused_with_the_difference(llr):
    llr("sweep", "--no-show")
    result = llr("sweep", "training.lr=0.2")
    assert result.exit_code == 1
    assert "-training.lr: 0.1\n  +training.lr: 0.2" in result.stderr


def test_a_config_without_a_sweep_says_what_to_do(llr, folder: Path):
    result = llr("sweep", "sweep.enabled=false")
    assert result.exit_code == 2
    assert "set it to true in the config or add sweep.enabled=true" in result.stderr
    assert not (folder / "outputs").exists()


def test_figures_are_drawn_again_from_the_results_alone(llr, folder: Path):
    llr("sweep", "--no-show")
    figures = folder / "outputs/small/figures"
    before = {path.name: path.read_bytes() for path in figures.iterdir()}
    for path in figures.iterdir():
        path.unlink()
    result = llr("plot", "outputs/small", "--no-show")
    assert result.exit_code == 0
    assert {path.name: path.read_bytes() for path in figures.iterdir()} == before
    assert len(result.stdout.splitlines()) == len(before)


def test_a_folder_without_results_is_a_sentence(llr):
    result = llr("plot", "outputs/nothing")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: outputs/nothing must be a results.json or a folder")


def test_a_sweep_without_a_finished_run_has_nothing_to_draw(llr, monkeypatch):
    monkeypatch.setattr("llr.report.draw_all", lambda folder, *, show: [])
    assert "Nothing to draw" in llr("plot", "outputs/small").stdout


def test_a_run_that_fails_is_told_at_the_end_and_in_the_exit_status(llr, monkeypatch, no_figures):
    from llr.sweep import FailedRun, SweepResult

    result = SweepResult(Path("x"), 2, 1, (FailedRun("abc", "It broke."),), (), 1.0)
    monkeypatch.setattr("llr.sweep.run_sweep", lambda *_, **__: result)
    done = llr("sweep")
    assert done.exit_code == 1
    assert done.stderr == "Run abc failed: It broke.\n"


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_says_how_to_go_on_and_loses_nothing(folder: Path):
    command = [sys.executable, "-m", "llr", "sweep", "--no-show", "sweep.seeds=30"]
    slow = ["training.max_steps=3000", "execution.engine=torch", "execution.batch_size=1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(
        [*command, *slow, "execution.executor=in_process"],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and running.poll() is None:
        if any(path.stat().st_size for path in folder.glob("outputs/small/runs/*.jsonl")):
            break
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert "The same command goes on from there" in told
    assert "Traceback" not in told
    assert 0 < len(runs(folder / "outputs/small")) < 120
