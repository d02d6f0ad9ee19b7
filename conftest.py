"""Run the Python blocks of the README and of the documentation pages as tests."""

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


@pytest.fixture(scope="module")
def scratch_folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest):
    """Documentation examples write into a folder of their own, beside the shipped configs."""
    import os

    folder = tmp_path_factory.mktemp("docs")
    for shared in ("config.yaml", "configs", "examples"):
        (folder / shared).symlink_to(ROOT / shared)
    before = Path.cwd()
    os.chdir(folder)
    # The pages read the results of the shipped sweep; a part of its grid stands in.
    short = ["sweep.sample_sizes=[5, 20]", "sweep.seeds=2"]
    llr.run_sweep(llr.load_config("config.yaml", short), progress=False)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def empty_folder(tmp_path_factory: pytest.TempPathFactory):
    """A tutorial's reader starts with nothing."""
    import os

    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("tutorial"))
    yield
    os.chdir(before)


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
