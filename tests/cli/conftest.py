"""A command line to call, and a config to call it on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llr.cli import main

ROOT = Path(__file__).parents[2]

SMALL = """
experiment: {name: small}
data: {train_size: 5, test_size: 20}
model: {scale: 1}
training: {max_steps: 20}
init: {std: 0.1}
sweep: {enabled: true, models: [mlp, cnn_shared], sample_sizes: [4, 6], seeds: 2}
"""

Call = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a small config."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(SMALL)
    return tmp_path


@pytest.fixture
def llr(folder: Path) -> Call:
    """The command ``llr``, called in that folder."""

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    return call


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps without their figures, which take longer than the runs of a small one."""
    monkeypatch.setattr("llr.report.draw_all", lambda folder, *, show: [folder / "figure.png"])
