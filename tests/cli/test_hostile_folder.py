"""Files in the current folder are never imported, whatever they are called and whoever works."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = (
    "queue",
    "struct",
    "pickle",
    "secrets",
    "json",
    "random",
    "platform",
    "llr",
    "torch",
    "ray",
)

CONFIG = """
training: {max_steps: 5}
model: {scale: 1}
data: {test_size: 10}
sweep: {models: [mlp], sample_sizes: [5], seeds: 2}
execution: {batch_size: 1, workers: 2}
"""

SEVERAL = """
import sys
from llr.cli import main
for line in sys.stdin.read().splitlines():
    try:
        main(line.split())
    except SystemExit as end:
        assert end.code == 0, (line, end.code)
"""

COMMANDS = [
    "config",
    "train",
    "sweep --quiet --no-show execution.executor=in_process execution.workers=1",
    "sweep --quiet --no-show execution.executor=processes experiment.name=several",
    "plot outputs/experiment --no-show",
    "report outputs/experiment",
    "export outputs/experiment --format csv",
    "rank config.yaml",
    "theory",
    "reproduce --list",
]


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """The current folder, with a module of many a name that leaves a trace when it is run."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(
            f"from pathlib import Path\n"
            f"Path({str(tmp_path / 'executed')!r}).open('a').write('{name}, ')\n"
            f"raise SystemExit('executed {name}.py')\n"
        )
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*commands):
    """Give commands to llr as its installed script does, which has no folder on its path."""
    return subprocess.run(
        [sys.executable, "-P", "-c", SEVERAL],
        input="\n".join(commands),
        capture_output=True,
        text=True,
    )


def executed(folder):
    trace = folder / "executed"
    return trace.read_text() if trace.exists() else ""


def test_no_command_and_no_worker_process_imports_from_the_current_folder(hostile):
    done = run(*COMMANDS)
    assert executed(hostile) == ""
    assert done.returncode == 0, done.stderr


@pytest.mark.distributed
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray")
def test_no_worker_of_ray_imports_from_the_current_folder(hostile):
    done = run("sweep --quiet --no-show execution.executor=ray")
    assert executed(hostile) == ""
    assert done.returncode == 0, done.stderr


def test_a_worker_of_a_caller_that_has_the_folder_on_its_path_looks_there_last(hostile):
    (hostile / "mine.py").write_text("def double(item):\n    return 2 * item\n")
    code = """
import sys
from llr.executors import ProcessExecutor
sys.path.insert(0, "")
from mine import double
print([outcome.value for outcome in ProcessExecutor(workers=1).map(double, [3])])
"""
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert executed(hostile) == ""
    assert done.stdout.split() == ["[6]"], done.stderr


def test_a_factory_is_loaded_by_its_path_and_its_neighbours_take_no_installed_place(hostile):
    (hostile / "statistics.py").write_text(
        "import queue, helper\nfrom torch import nn\n"
        "def network():\n    return nn.Linear(helper.INPUTS, 1).double()\n"
    )
    (hostile / "helper.py").write_text("INPUTS = 3\n")
    done = run("rank statistics:network")
    assert executed(hostile) == ""
    assert done.returncode == 0, done.stderr
    assert Path("statistics.py").exists()  # this one, not the standard library's
