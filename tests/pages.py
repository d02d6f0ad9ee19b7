"""How the blocks of documentation pages are run: Python and its output, shell sessions, files."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

from sybil import Example
from sybil.evaluators.python import PythonEvaluator

_ENVIRONMENT = {"COLUMNS": "100", "PATH": "", "PYTHONIOENCODING": "utf-8"}


def shown_runs(session: str) -> list[tuple[str, str]]:
    """Every ``$ llr ...`` of a shell session with the output printed under it."""
    runs = []
    for chunk in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, output = chunk.partition("\n")
        if command.startswith("llr ") and output.strip():
            runs.append((command.split("#")[0].strip(), output.rstrip()))
    return runs


def assert_prints(command: str, output: str, folder: Path) -> None:
    """Run a command in a folder; each line of ``output`` but ``...`` is one that it prints."""
    _, *arguments = shlex.split(command)
    done = subprocess.run(
        [sys.executable, "-m", "llr", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**_ENVIRONMENT, "HOME": str(folder)},
    )
    printed = [line.rstrip() for line in (done.stdout + done.stderr).splitlines()]
    for line in output.splitlines():
        if line.strip() != "...":
            assert line.rstrip() in printed, done.stdout + done.stderr


def run_and_record(example: Example) -> None:
    """Run a Python block, and keep what it prints for the block of output that follows."""
    output = io.StringIO()
    with redirect_stdout(output):
        PythonEvaluator()(example)
    example.namespace["printed"] = output.getvalue()


def check_output(example: Example) -> None:
    """A block of output is what the Python block above it printed."""
    assert example.namespace["printed"].strip() == example.parsed.strip()


def check_session(example: Example) -> None:
    """Run the commands of a shell session in the current folder."""
    for command, output in shown_runs(example.parsed):
        assert_prints(command, output, Path.cwd())


def write_named_file(example: Example) -> None:
    """Write a block whose first line is ``# NAME`` to the file of that name."""
    name = re.match(r"# ([\w.]+)\n", example.parsed)
    assert name, "the first line of a file must be a comment with its name"
    Path(name[1]).write_text(example.parsed)
