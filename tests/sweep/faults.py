"""Sweeps in processes of their own, to be killed, starved and damaged."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llr.config import parse_config
from llr.sweep import run_sweep

SECONDS = 240
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
    code = "import llr; llr.run_sweep(llr.load_config('config.yaml'))"
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
