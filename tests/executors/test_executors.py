"""The executors keep the contract; the pool leaves nothing behind."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.executors.tasks import threads_here, wait_long

from llr.config import parse_config
from llr.errors import LLRError
from llr.executors import InProcessExecutor, ProcessExecutor
from llr.sweep import EXECUTORS, make_executor
from llr.testing import ExecutorContract

ROOT = Path(__file__).parents[2]
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


class TestInProcessExecutor(ExecutorContract):
    def make(self):
        return InProcessExecutor()


class TestProcessExecutor(ExecutorContract):
    isolated = True

    def make(self):
        return ProcessExecutor(workers=2)


def execution(**keys):
    return parse_config({"execution": keys}).execution


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def written(path):
    return path.exists() and path.stat().st_size > 0


def until(condition, *, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def test_workers_are_pinned_to_their_threads():
    (outcome,) = ProcessExecutor(workers=1, threads=3).map(threads_here, [0])
    assert set(outcome.value.values()) == {"3"}
    assert "OMP_NUM_THREADS" in outcome.value


def test_an_item_that_cannot_travel_fails_and_no_other_does():
    outcomes = list(ProcessExecutor(workers=1).map(repr, [1, lambda: None, 3]))
    assert [outcome.value for outcome in outcomes] == ["1", None, "3"]
    assert "pickle" in outcomes[1].failure.message


@linux
def test_leaving_early_ends_workers_that_are_busy(tmp_path):
    paths = [tmp_path / str(i) for i in range(2)]
    outcomes = ProcessExecutor(workers=2).map(wait_long, paths)

    def interrupt():
        until(lambda: all(written(path) for path in paths))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    thread.join()
    assert not any(alive(int(path.read_text())) for path in paths)


@linux
def test_workers_end_when_their_parent_is_killed(tmp_path):
    path = tmp_path / "pid"
    code = (
        "from llr.executors import ProcessExecutor; from tests.executors.tasks import wait_long; "
        f"list(ProcessExecutor(workers=1).map(wait_long, [{str(path)!r}]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    until(lambda: written(path))
    parent.kill()
    parent.wait()
    until(lambda: not alive(int(path.read_text())))


def test_workers_that_cannot_start_end_the_work_with_a_sentence(monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(LLRError, match=r"must start, but it ended with exit status 1\."):
        list(ProcessExecutor(workers=1).map(abs, [1]))


def test_auto_takes_processes_where_they_pay():
    def chosen(seconds, n_chunks=8, device="cpu", **keys):
        settings = execution(**{"workers": 4, **keys})
        return make_executor(settings, device=device, n_chunks=n_chunks, seconds=seconds)

    assert chosen(1.0).name == "in_process"
    assert chosen(1e4).name == "processes"
    assert chosen(1e4).workers == 4
    assert chosen(1e4, n_chunks=3).workers == 3
    assert chosen(1e4, n_chunks=1).name == "in_process"
    assert chosen(1e4, device="cuda").name == "in_process"
    assert chosen(1.0, executor="processes", threads=2).threads == 2
    assert chosen(1e4, executor="in_process", workers=1).name == "in_process"


def test_every_registered_executor_calls_itself_by_its_name():
    for name, make in EXECUTORS.items():
        if name == "ray" and importlib.util.find_spec("ray") is None:
            continue
        assert make(execution(), 1, "cpu").name == name
