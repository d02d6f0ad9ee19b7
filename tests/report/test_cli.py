"""The commands ``llr report`` and ``llr watch``."""

import shutil

import click
import pytest
from click.testing import CliRunner

from llr.cli._report import report, watch
from llr.errors import ResultsError


@pytest.fixture
def opened(monkeypatch):
    """What was opened in the browser."""
    addresses = []
    monkeypatch.setattr(click, "launch", addresses.append)
    return addresses


def test_report_prints_the_file_that_it_wrote(finished_sweep, tmp_path, opened):
    folder = shutil.copytree(finished_sweep, tmp_path / "copy")
    done = CliRunner().invoke(report, [str(folder)])
    assert done.output == f"{folder / 'report.html'}\n"
    assert (folder / "report.html").stat().st_size > 1_000_000
    assert opened == []


def test_report_opens_the_file_in_the_browser_when_asked(finished_sweep, tmp_path, opened):
    file = tmp_path / "a page.html"
    CliRunner().invoke(report, [str(finished_sweep), "--output", str(file), "--open"])
    assert opened == [file.as_uri()]
    assert "a%20page.html" in opened[0]


def test_report_on_a_folder_without_a_sweep_is_an_error(tmp_path):
    done = CliRunner().invoke(report, [str(tmp_path)])
    assert isinstance(done.exception, ResultsError)


def test_watch_prints_and_opens_its_address(finished_sweep, monkeypatch, opened):
    def served(folder, *, port, ready):
        ready(f"http://127.0.0.1:{port}/")

    monkeypatch.setattr("llr.report.watch", served)
    done = CliRunner().invoke(watch, [str(finished_sweep), "--port", "8123", "--open"])
    assert done.output.startswith("http://127.0.0.1:8123/ shows ")
    assert opened == ["http://127.0.0.1:8123/"]


def test_watch_refuses_a_port_that_is_none(finished_sweep):
    done = CliRunner().invoke(watch, [str(finished_sweep), "--port", "70000"])
    assert done.exit_code == 2
    assert "0<=x<=65535" in done.output
