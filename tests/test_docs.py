"""The documentation is true: links resolve, commands exist, shown output is real output."""

import re
from pathlib import Path

import pytest
from tests.pages import assert_prints, shown_runs

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_resolves(page: Path):
    for target in LINK.findall(page.read_text()):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_is_documented():
    from llr.cli import main

    text = "\n".join(page.read_text() for page in PAGES)
    missing = [name for name in main.list_commands(None) if f"llr {name}" not in text]
    assert not missing


@pytest.mark.parametrize(
    ("command", "output"),
    [
        pytest.param(command, output, id=f"{page.stem}: {command}")
        for page in PAGES
        if page.name != "first_steps.md"  # its commands need its files: see conftest.py
        for session in CONSOLE.findall(page.read_text())
        for command, output in shown_runs(session)
    ],
)
def test_the_output_that_a_page_shows_is_what_the_command_prints(
    command: str, output: str, tmp_path: Path
):
    for shared in ("config.yaml", "configs", "examples"):
        (tmp_path / shared).symlink_to(ROOT / shared)
    assert_prints(command, output, tmp_path)
