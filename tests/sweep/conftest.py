"""Small sweeps, and their results in a form that can be compared."""

import json
from pathlib import Path

import pytest
from tests.sweep.faults import long, started  # noqa: F401 - fixtures

from llr.config import parse_config


@pytest.fixture
def small(tmp_path):
    """A config of 18 short runs in the test's own folder, with dotted overrides."""

    def make(**overrides):
        base = {
            "training": {"max_steps": 60},
            "model": {"scale": 1},
            "sweep": {"enabled": True, "sample_sizes": [4, 8, 12], "seeds": 2},
            "output": {"dir": str(tmp_path / "outputs")},
            "execution": {"executor": "in_process", "threads": 1, "batch_size": 4},
        }
        return parse_config(base, {k.replace("__", "."): v for k, v in overrides.items()})

    return make


@pytest.fixture
def runs_of():
    """The runs and the summary in a results file, without what may differ from time to time."""

    def read(folder):
        results = json.loads((Path(folder) / "results.json").read_text())
        for run in results["runs"]:
            run.pop("seconds")
        return results["runs"], results["summary"]

    return read
