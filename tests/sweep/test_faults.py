"""Whatever kills a sweep, the same command again gives the results of an undisturbed one."""

import os
import random
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from tests.sweep.faults import (
    finish,
    killed_again_and_again,
    stored_lines,
    undisturbed,
    wait_for,
)

from llr.sweep import load_results, read_results, run_sweep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def test_a_sweep_killed_five_times_gives_the_results_of_an_undisturbed_one(long, started, runs_of):
    config = long()
    killed = killed_again_and_again(config, started, times=5, seed=1)
    assert killed >= 2
    folder = Path(config.output.dir) / "experiment"
    assert len(list((folder / "runs").iterdir())) >= 1 + killed // 2
    assert runs_of(folder) == undisturbed(config, runs_of)
    assert load_results(folder)["id"].is_unique


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_a_worker_killed_from_outside_costs_nothing(long, started, runs_of):
    config = long(execution__executor="processes", execution__workers=1)
    process = started(config)
    wait_for(process, lambda: stored_lines(config) >= 5)
    threads = Path(f"/proc/{process.pid}/task").glob("*/children")
    (worker,) = (pid for children in threads for pid in children.read_text().split())
    os.kill(int(worker), signal.SIGKILL)
    status, printed = finish(process)
    assert (status, printed) == (0, "")
    assert runs_of(Path(config.output.dir) / "experiment") == undisturbed(config, runs_of)


@pytest.mark.parametrize("executor", ["in_process", "processes"])
def test_ctrl_c_ends_cleanly_and_the_same_command_goes_on(long, started, runs_of, executor):
    config = long(execution__executor=executor)
    process = started(config)
    wait_for(process, lambda: stored_lines(config) >= 10)
    process.send_signal(signal.SIGINT)
    status, printed = finish(process)
    assert status != 0
    folder = Path(config.output.dir) / "experiment"
    kept = len(read_results(folder)["runs"])
    assert f"Stopped: {kept} of 60 runs are finished" in printed
    assert 10 <= kept < 60
    assert kept == stored_lines(config)
    assert run_sweep(config).n_trained == 60 - kept
    assert runs_of(folder) == undisturbed(config, runs_of)


def test_a_second_process_on_the_same_folder_is_refused_until_the_first_is_killed(
    long, started, runs_of
):
    config = long(sweep__seeds=200)
    first = started(config)
    wait_for(first, lambda: stored_lines(config) >= 5)
    status, printed = finish(started(config))
    assert status != 0
    assert f"must have one sweep at a time, but process {first.pid} on" in printed
    first.kill()
    finish(first)
    smaller = long()
    assert runs_of(run_sweep(smaller).folder) == undisturbed(smaller, runs_of)


def test_a_disk_that_runs_full_is_reported_and_loses_nothing(long, started, runs_of):
    config = long()
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
    status, printed = finish(started(config, before=limit))
    assert status != 0
    assert "File too large. Runs that had finished are kept" in printed
    kept = stored_lines(config)
    assert 0 < kept < 60
    assert run_sweep(config).n_trained >= 60 - kept
    folder = Path(config.output.dir) / "experiment"
    assert runs_of(folder) == undisturbed(config, runs_of)
    assert not list(Path(config.output.dir).rglob("*.tmp"))


MEMORY = """
import resource, llr.sweep
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 2**32, held + 2**32))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_a_run_that_eats_memory_costs_itself_only(long, started, runs_of):
    config = long(sweep__sample_sizes=[4, 1_000_000_000], sweep__seeds=2, training__max_steps=100)
    status, printed = finish(started(config, before=MEMORY))
    assert status == 0, printed
    assert "failed" in printed
    runs, _ = runs_of(Path(config.output.dir) / "experiment")
    good = long(sweep__sample_sizes=[4], sweep__seeds=2, training__max_steps=100)
    assert runs[:2] == undisturbed(good, runs_of)[0]
    assert [run["status"] for run in runs[2:]] == ["error"] * 2
    messages = [run["message"] for run in runs[2:]]
    assert all(re.search("memory|alloc", message.lower()) for message in messages), messages


def test_a_clock_that_jumps_changes_nothing(long, runs_of, monkeypatch):
    config = long(training__max_steps=100)
    expected = undisturbed(config, runs_of)
    jumps = random.Random(3)
    monkeypatch.setattr(time, "time", lambda: jumps.uniform(0, 4e9))
    monkeypatch.setattr(time, "time_ns", lambda: jumps.randrange(4 * 10**18))
    half = long(training__max_steps=100, sweep__sample_sizes=[6, 4])
    folder = run_sweep(half).folder
    for file in folder.rglob("*"):
        moment = jumps.uniform(0, 4e9)
        os.utime(file, (moment, moment))
    assert run_sweep(config).n_trained == 20
    assert runs_of(folder) == expected
