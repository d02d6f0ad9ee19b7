"""Run the Python blocks of the README and of the documentation pages as tests."""

import contextlib
import shutil
import signal
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser
from tests.pages import check_output, check_session, run_and_record, write_named_file

import llr

ROOT = Path(__file__).parent

# Background jobs of a shell ignore Ctrl-C, and so would each command that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def short_sweep(tmp_path_factory: pytest.TempPathFactory):
    """A folder with the results of a part of the shipped sweep's grid, which the pages read."""
    folder = tmp_path_factory.mktemp("short_sweep")
    with contextlib.chdir(folder):
        short = ["sweep.sample_sizes=[5, 20]", "sweep.seeds=2", "execution.executor=in_process"]
        llr.run_sweep(llr.load_config(ROOT / "config.yaml", short), progress=False)
    return folder


@pytest.fixture(scope="module")
def scratch_folder(tmp_path_factory: pytest.TempPathFactory, short_sweep: Path):
    """Documentation examples write into a folder of their own, beside the shipped configs."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(short_sweep, folder, dirs_exist_ok=True)
    for shared in ("config.yaml", "configs", "examples"):
        (folder / shared).symlink_to(ROOT / shared)
    with contextlib.chdir(folder):
        yield folder


@pytest.fixture(scope="module")
def empty_folder(tmp_path_factory: pytest.TempPathFactory):
    """A tutorial's reader starts with nothing."""
    with contextlib.chdir(tmp_path_factory.mktemp("tutorial")):
        yield


_TUTORIAL = "docs/first_steps.md"

_pages = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=["README.md", "docs/*.md"],
    excludes=[_TUTORIAL],
    fixtures=["scratch_folder"],
)
# Every block of the tutorial runs, in order: its files are written, its commands called, and the
# output it shows is compared.
_tutorial = Sybil(
    parsers=[
        CodeBlockParser("python", run_and_record),
        CodeBlockParser("text", check_output),
        CodeBlockParser("console", check_session),
        CodeBlockParser("yaml", write_named_file),
    ],
    patterns=[_TUTORIAL],
    fixtures=["empty_folder"],
)
pytest_collect_file = (_pages + _tutorial).pytest()
