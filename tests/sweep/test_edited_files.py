"""Whatever somebody has edited in a sweep's folder, its readers give a result or a sentence."""

import contextlib
import pathlib
import sys

import pytest
from tests.sweep.edits import edited

from llr.errors import LLRError
from llr.report import write_report
from llr.report._draw import plots_of
from llr.report._figure_data import curve_panels, heat_panels
from llr.report._watch import serving
from llr.sweep import export_results, load_results, open_sweep, run_sweep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="makes links, pipes and devices")

SEEDS = range(60)


@pytest.fixture(scope="session")
def stored(tmp_path_factory):
    """A finished sweep of eight runs, with losses and parameters."""
    return make_stored(tmp_path_factory.mktemp("stored"))


def make_stored(folder):
    from llr.config import parse_config

    values = {
        "data": {"test_size": 10},
        "model": {"scale": 1},
        "training": {"max_steps": 20},
        "sweep": {"models": ["mlp", "cnn_shared"], "sample_sizes": [4, 8], "seeds": 2},
        "output": {"dir": str(folder), "save_parameters": True},
        "execution": {"executor": "in_process", "batch_size": 3, "threads": 1},
    }
    return run_sweep(parse_config(values)).folder


def figure_data(folder):
    """What the figures would show, without drawing."""
    sweep = open_sweep(folder)
    if sweep.n_finished:
        plots_of(sweep)
        curve_panels(sweep.runs)
        heat_panels(sweep.runs)


def watched(folder):
    serving(folder).server_close()


READERS = {
    "load_results": load_results,
    "export": lambda folder: export_results(folder, format="csv"),
    "plot": figure_data,
    "report": write_report,
    "watch": watched,
}


@pytest.mark.parametrize("seed", SEEDS)
def test_an_edited_sweep_is_read_or_refused(stored, tmp_path, seed):
    folder = tmp_path / "edited"
    done = edited(stored, folder, seed)
    readers = list(READERS.items())
    for name, read in readers if seed % 10 == 0 else readers[:3]:
        try:
            with contextlib.suppress(LLRError):
                read(folder)
        except Exception as error:
            error.add_note(f"{name} after {done}")
            raise
    assert pathlib.Path(folder).exists()
