"""Sweeps of networks with other activations and of several layers, from the shipped configs."""

from pathlib import Path

import pytest

from llr.config import load_config
from llr.sweep import load_results, run_sweep

CONFIGS = Path(__file__).parents[2] / "examples" / "configs"
QUICK = {"training.max_steps": 20, "sweep.seeds": 1, "sweep.sample_sizes": [5, 8]}


@pytest.mark.parametrize("name", ["relu", "three_layers"])
def test_a_shipped_config_runs_and_resumes(name: str, tmp_path):
    config = load_config(CONFIGS / f"{name}.yaml", {**QUICK, "output.dir": str(tmp_path)})
    result = run_sweep(config, progress=False)
    assert result.n_trained == result.n_runs
    assert not result.failures
    assert run_sweep(config, progress=False).n_trained == 0
    runs = load_results(result.folder)
    assert set(runs["status"]) <= {"max_steps", "converged"}
    assert set(runs["activation"]) == {config.model.activation}
    assert set(runs["widths"].dropna()) == ({"20-10"} if name == "three_layers" else set())
