"""The root of the command line: immediate help, a line for every error, honest exit statuses."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner, Result

import llr as package
from llr.cli import COMMANDS, main
from llr.cli._group import CommandGroup
from llr.errors import ConfigError, InvalidInputError, LLRError, StoreError

HEAVY = ("torch", "numpy", "scipy", "numba", "pandas", "matplotlib", "pydantic", "ruamel.yaml")


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], [], ["sweap"], ["train", "--help"], ["sweep", "--help"]],
)
def test_help_loads_nothing_heavy(arguments: list[str]):
    probe = (
        "import sys\nfrom llr.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_help_lists_every_command_in_the_order_of_the_table():
    text = CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]
    assert [line.split()[0] for line in text.strip().splitlines()] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_loads_and_has_help(name: str):
    command = main.get_command(None, name)
    assert isinstance(command, click.Command)
    assert command.name == name
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert f"llr {name}" in result.output


def test_the_version_is_the_packages():
    assert CliRunner().invoke(main, ["--version"]).output == f"llr {package.__version__}\n"


def test_a_wrong_command_is_told_the_nearest():
    result = CliRunner().invoke(main, ["trian"])
    assert result.exit_code == 2
    assert "Did you mean 'train'?" in result.stderr


def after(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> Result:
    """The result of a command that raises an error."""

    @click.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(sys.modules[__name__], "fail", fail, raising=False)
    group = CommandGroup("llr", commands={"fail": (f"{__name__}:fail", "Fail.")}, help="Test.")
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    return CliRunner().invoke(group, ["fail"])


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError("one\ntwo"), 2, "Error: one\nError: two\n"),
        (InvalidInputError("x must be y, got z."), 2, "Error: x must be y, got z.\n"),
        (StoreError("differs:\n  -a\n  +b"), 1, "Error: differs:\n  -a\n  +b\n"),
        (LLRError("it failed."), 1, "Error: it failed.\n"),
        (KeyboardInterrupt("Stopped: do this."), 130, "Stopped: do this.\n"),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
        (MemoryError("too\nmuch"), 1, "Error: MemoryError: too much (set LLR_TRACEBACK=1"),
        (ValueError(), 1, "Error: ValueError: no message (set LLR_TRACEBACK=1"),
        (click.UsageError("wrong"), 2, "Error: wrong"),
        (SystemExit(7), 7, ""),
    ],
)
def test_every_error_is_lines_and_an_exit_status(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch
):
    result = after(error, monkeypatch)
    assert result.exit_code == code
    assert message in result.stderr.lstrip("\n")
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_the_traceback_of_an_unexpected_error_is_there_on_request(monkeypatch):
    monkeypatch.setenv("LLR_TRACEBACK", "1")
    result = after(ZeroDivisionError("oh"), monkeypatch)
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "raise error" in result.stderr
