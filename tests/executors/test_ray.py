"""Ray keeps the contract of an executor, and leaves nothing behind."""

import contextlib
import importlib.util
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from llr.config import parse_config
from llr.errors import ConfigError, LLRError, MissingExtraError
from llr.executors import RayExecutor
from llr.sweep import check_device, make_executor, read_results, run_sweep
from llr.testing import ExecutorContract

pytestmark = [
    pytest.mark.distributed,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc"),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray"),
]


def descendants(pid):
    """Processes that a process has started, and theirs."""
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from descendants(int(child))


def command(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def until(condition, *, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return value


@pytest.fixture(scope="module")
def cluster():
    """A Ray of two processors that the tests of this file share."""
    with RayExecutor(workers=2)._connection() as ray:
        yield ray


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'llr\[ray\]'"):
        RayExecutor()


def test_a_cluster_that_is_not_there_ends_the_work_with_a_sentence():
    with pytest.raises(LLRError, match=r"Ray must be at 127.0.0.1:1, but: .*execution\.address"):
        list(RayExecutor(address="127.0.0.1:1").map(abs, [1]))


def execution(*overrides):
    return parse_config({}, {"execution.executor": "ray", **dict(overrides)})


def test_the_config_says_which_ray():
    local = make_executor(execution().execution, device="cpu", n_chunks=1, seconds=1.0)
    assert (local.name, local.workers) == ("ray", 1)
    config = execution(("execution.address", "10.0.0.1:6379"), ("execution.workers", 64))
    there = make_executor(config.execution, device="cuda", n_chunks=1, seconds=1.0)
    assert (there.workers, there.threads, there._gpus) == (64, 1, 1)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"execution.address": "nowhere"}, "auto or host:port of a Ray cluster"),
        ({"execution.address": "auto", "execution.executor": "processes"}, "has no meaning"),
        ({"experiment.device": "cuda:1"}, "must be cpu or cuda with execution.executor = ray"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        execution(*overrides.items())


def test_a_gpu_of_the_cluster_need_not_be_on_this_machine():
    check_device(execution(("execution.address", "auto"), ("experiment.device", "cuda")))


@pytest.mark.usefixtures("cluster")
class TestRayExecutor(ExecutorContract):
    isolated = True

    def make(self):
        return RayExecutor(workers=2)


def threads_here(_):
    return {name: os.environ[name] for name in os.environ if name.endswith("_NUM_THREADS")}


def wait_long(path):
    Path(path).write_text(str(os.getpid()))
    time.sleep(300)


@pytest.mark.usefixtures("cluster")
def test_an_item_has_the_threads_of_the_cpus_it_was_given():
    (outcome,) = RayExecutor(threads=2).map(threads_here, [0])
    assert set(outcome.value.values()) == {"2"}
    assert {"OMP_NUM_THREADS", "NUMBA_NUM_THREADS"} <= outcome.value.keys()


@pytest.mark.usefixtures("cluster")
def test_no_more_items_run_at_once_than_the_cpus_hold():
    executor = RayExecutor(workers=8, threads=2)
    list(executor.map(abs, [1]))
    assert executor.workers == 1


@pytest.mark.usefixtures("cluster")
def test_an_item_that_cannot_travel_fails_and_no_other_does():
    outcomes = list(RayExecutor().map(repr, [1, lambda: None, 3]))
    assert sorted(str(outcome.value) for outcome in outcomes) == ["1", "3", "None"]
    (failure,) = (outcome.failure for outcome in outcomes if outcome.failure)
    assert "pickle" in failure.message


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("wanted", [{"threads": 3}, {"gpus": 1}])
def test_items_that_no_node_can_hold_end_the_work_with_a_sentence(wanted):
    with pytest.raises(
        LLRError, match=r"must have a node with .* \(its nodes have 2 CPUs and 0 GP"
    ):
        list(RayExecutor(**wanted, patience_s=0).map(abs, [1]))


@pytest.mark.usefixtures("cluster")
def test_leaving_early_ends_items_that_are_being_worked_on(tmp_path):
    paths = [tmp_path / str(i) for i in range(2)]
    outcomes = RayExecutor(workers=2).map(wait_long, paths)

    def interrupt():
        until(lambda: all(path.exists() and path.read_text() for path in paths))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    thread.join()
    workers = [int(path.read_text()) for path in paths]
    until(lambda: not any("llr" in command(pid) for pid in workers))


@pytest.mark.usefixtures("cluster")
def test_ray_gives_the_results_of_one_process_bit_for_bit(small, runs_of):
    alone = run_sweep(small(experiment__name="alone"))
    ray = run_sweep(small(experiment__name="ray", execution__executor="ray"))
    assert runs_of(ray.folder) == runs_of(alone.folder)
    environment = read_results(ray.folder)["environment"]
    assert (environment["executor"], environment["threads"]) == ("ray", 1)
