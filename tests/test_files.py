"""Files are whole or not there, and nothing is written through a link that somebody has planted."""

import os
import sys
from pathlib import Path

import pytest

from llr._files import appended, write_whole, written_aside
from llr.errors import StoreError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")


@pytest.fixture
def precious(tmp_path):
    """A file that belongs to somebody else."""
    file = tmp_path / "precious"
    file.write_text("precious")
    return file


def test_a_planted_link_is_replaced_and_not_followed(tmp_path, precious):
    target = tmp_path / "results.json"
    target.symlink_to(precious)
    write_whole(target, "mine")
    assert (target.read_text(), precious.read_text()) == ("mine", "precious")
    assert not target.is_symlink()


def test_the_temporary_file_has_a_name_that_nobody_can_guess_and_is_new(tmp_path):
    names = []
    for _ in range(2):
        with written_aside(tmp_path / "a") as file:
            names.append(Path(file.name).name)
            assert str(os.getpid()) not in names[-1].split(".")
    assert len(set(names)) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_temporary_name_that_is_taken_is_not_written_to(tmp_path, precious, monkeypatch):
    monkeypatch.setattr("llr._files.secrets.token_hex", lambda n: "guessed")
    (tmp_path / ".a.guessed.tmp").symlink_to(precious)
    with pytest.raises(StoreError, match="a must be writable, but: File exists"):
        write_whole(tmp_path / "a", "mine")
    assert precious.read_text() == "precious"


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path):
    write_whole(tmp_path / ("a" * 255), "mine")
    assert (tmp_path / ("a" * 255)).read_text() == "mine"


def test_nothing_is_appended_through_a_link(tmp_path, precious):
    (tmp_path / "errors.log").symlink_to(precious)
    with (
        pytest.raises(StoreError, match=r"errors\.log must be writable"),
        appended(tmp_path / "errors.log") as file,
    ):
        file.write(b"mine")
    assert precious.read_text() == "precious"
