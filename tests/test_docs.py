"""The documentation is true: links resolve, commands exist, shown output is real output."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def shown_runs(page: Path) -> list[tuple[str, str]]:
    """Every ``$ llr ...`` of a page with the output printed under it."""
    runs = []
    for block in CONSOLE.findall(page.read_text()):
        for chunk in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = chunk.partition("\n")
            if command.startswith("llr ") and output.strip():
                runs.append((command.split("#")[0].strip(), output.rstrip()))
    return runs


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
        for command, output in shown_runs(page)
    ],
)
def test_the_output_that_a_page_shows_is_what_the_command_prints(
    command: str, output: str, tmp_path: Path
):
    for shared in ("config.yaml", "configs", "examples"):
        (tmp_path / shared).symlink_to(ROOT / shared)
    _, *arguments = shlex.split(command)
    done = subprocess.run(
        [sys.executable, "-m", "llr", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"COLUMNS": "100", "PATH": "", "HOME": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
    )
    printed = [line.rstrip() for line in (done.stdout + done.stderr).splitlines()]
    for line in output.splitlines():
        if line.strip() != "...":
            assert line.rstrip() in printed, done.stdout + done.stderr
