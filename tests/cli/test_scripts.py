"""The scripts at the root do what the commands of the same purpose do."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(script: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_train_py_trains_the_run_of_the_config(folder: Path):
    done = run("train.py", "--config", "config.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "mlp, scale 1" in done.stdout
    assert list(folder.glob("outputs/small/single/*.json"))


def test_run_experiments_py_runs_the_sweep_and_leaves_results_where_its_users_look(folder: Path):
    done = run("run_experiments.py", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "outputs/results.json").is_file()


@pytest.mark.parametrize("script", ["train.py", "run_experiments.py", "test_run.py"])
def test_a_script_is_a_few_lines_that_call_the_package(script: str, folder: Path):
    lines = (ROOT / script).read_text().splitlines()
    assert len(lines) <= 10
    assert not any(line.startswith("def ") for line in lines)
    assert "Usage: llr" in run(script, "--help", cwd=folder).stdout


def test_a_script_ends_as_its_command_does(folder: Path):
    assert run("train.py", "training.lr=0", cwd=folder).returncode == 2
