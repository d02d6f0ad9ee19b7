"""Whatever kills a sweep, the same command again gives the results of an undisturbed one."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llr.sweep import load_results, parse_config, read_results, run_sweep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

SECONDS = 120
"""After this long, something hangs."""


@pytest.fixture
def long(tmp_path):
    """A config whose 60 runs take a second or two in all, in chunks of five."""

    def make(**overrides):
        base = {
            "training": {"max_steps": 20_000, "tol": 0.0},
            "model": {"scale": 1},
            "sweep": {"enabled": True, "models": ["mlp"], "sample_sizes": [4, 6, 8], "seeds": 20},
            "output": {"dir": str(tmp_path / "outputs")},
            "execution": {"executor": "in_process", "threads": 1, "batch_size": 5},
        }
        return parse_config(base, {k.replace("__", "."): v for k, v in overrides.items()})

    return make


@pytest.fixture
def started(tmp_path):
    """Start a sweep in a process of its own."""
    code = "from llr.sweep import load_config, run_sweep; run_sweep(load_config('config.yaml'))"
    processes = []

    def start(config, before=""):
        (tmp_path / "config.yaml").write_text(config.to_yaml())
        process = subprocess.Popen(
            [sys.executable, "-c", before + code],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def stored_lines(config):
    """Number of records on the disk."""
    shards = (Path(config.output.dir) / config.experiment.name / "runs").glob("*.jsonl")
    return sum(shard.read_bytes().count(b"\n") for shard in shards)


def wait_for(process, condition):
    """Until it is true, or the process has ended."""
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.002)


def finish(process):
    """Its exit status and what it printed."""
    _, printed = process.communicate(timeout=SECONDS)
    return process.returncode, printed


def undisturbed(config, runs_of):
    """The results of the same sweep without any fault."""
    experiment = config.experiment.model_copy(update={"name": "undisturbed"})
    return runs_of(run_sweep(config.model_copy(update={"experiment": experiment})).folder)


def killed_again_and_again(config, started, *, times, seed):
    """Kill a sweep at random moments, then let it end; how often it was killed in the middle."""
    moments = random.Random(seed)
    killed = 0
    for _ in range(times):
        process = started(config)
        enough = stored_lines(config) + moments.randrange(1, 60 // times)
        wait_for(process, lambda enough=enough: stored_lines(config) >= enough)
        time.sleep(moments.uniform(0, 0.05))
        process.kill()
        status, _ = finish(process)
        killed += status == -signal.SIGKILL
    status, printed = finish(started(config))
    assert status == 0, printed
    return killed


def test_a_sweep_killed_five_times_gives_the_results_of_an_undisturbed_one(long, started, runs_of):
    config = long()
    killed = killed_again_and_again(config, started, times=5, seed=1)
    assert killed >= 2
    folder = Path(config.output.dir) / "experiment"
    assert len(list((folder / "runs").iterdir())) >= 1 + killed // 2
    assert runs_of(folder) == undisturbed(config, runs_of)
    assert load_results(folder)["id"].is_unique


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["in_process", "processes"])
def test_a_sweep_killed_twenty_times_gives_the_results_of_an_undisturbed_one(
    long, started, runs_of, executor
):
    config = long(execution__executor=executor)
    killed_again_and_again(config, started, times=20, seed=2)
    assert runs_of(Path(config.output.dir) / "experiment") == undisturbed(config, runs_of)


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
