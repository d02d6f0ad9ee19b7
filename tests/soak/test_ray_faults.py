"""Ray loses workers, nodes and its driver; the results are those of an undisturbed sweep."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.sweep.faults import finish, stored_lines, wait_for
from tests.sweep.test_ray import cluster, command, descendants, until  # noqa: F401 - a fixture

from llr.sweep import run_sweep

pytestmark = [
    pytest.mark.distributed,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc"),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray"),
]

LONG = {"training__max_steps": 20_000, "training__tol": 0.0, "sweep__seeds": 20}


@pytest.mark.usefixtures("cluster")
def test_a_worker_killed_from_outside_costs_nothing(small, runs_of, tmp_path):
    killed = []

    def kill():
        folder = tmp_path / "outputs" / "killed" / "runs"
        until(lambda: any(shard.stat().st_size for shard in folder.glob("*.jsonl")))
        for pid in descendants(os.getpid()):
            if command(pid).startswith("ray::llr"):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    result = run_sweep(small(experiment__name="killed", execution__executor="ray", **LONG))
    thread.join()
    assert killed
    assert result.failures == ()
    assert runs_of(result.folder) == runs_of(run_sweep(small(**LONG)).folder)


ALONE = """
import json, os, signal, socket, sys
from llr.executors import RayExecutor
assert "ray" not in sys.modules
def state():
    return dict(os.environ), signal.getsignal(signal.SIGTERM)
before = state()
outcomes = RayExecutor(workers=1).map(abs, [-1, -2])
values = [next(outcomes).value]
assert state() == before
from tests.sweep.test_ray import command, descendants
mine = [*descendants(os.getpid()), os.getpid()]
inodes = set()
for pid in mine:
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            pass
listening = []
for table in ("tcp", "tcp6"):
    for line in open(f"/proc/net/{table}").readlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
            listening.append(fields[1].rpartition(":")[0])
values += [outcome.value for outcome in outcomes]
import ray
print(json.dumps({"values": values, "listening": listening, "ended":
    not ray.is_initialized(), "mine": mine[:-1]}))
"""


def test_a_ray_that_is_started_keeps_to_itself_and_is_gone_afterwards():
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    seen = json.loads(done.stdout)
    assert sorted(seen["values"]) == [1, 2]
    assert seen["listening"]
    assert set(seen["listening"]) <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert seen["ended"]
    until(lambda: not any("ray" in command(pid) for pid in seen["mine"]))


TWO_NODES = """
import sys, threading, time
from pathlib import Path
from ray.cluster_utils import Cluster
from llr.config import load_config
from llr.sweep import run_sweep
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
second = cluster.add_node(num_cpus=1)
ray = ["execution.executor=ray", f"execution.address={cluster.address}"]
config = load_config("config.yaml", ray)
runs = Path(config.output.dir) / "experiment" / "runs"
def lose():
    while sum(shard.read_bytes().count(b"\\n") for shard in runs.glob("*.jsonl")) < 12:
        time.sleep(0.02)
    cluster.remove_node(second, allow_graceful=False)
    print("lost", flush=True)
    cluster.add_node(num_cpus=1)
thread = threading.Thread(target=lose)
thread.start()
result = run_sweep(config)
thread.join()
print(len(result.failures), result.n_trained, flush=True)
cluster.shutdown()
"""


def test_a_node_removed_in_the_middle_costs_nothing(small, runs_of, tmp_path):
    config = small(**LONG)
    (tmp_path / "config.yaml").write_text(config.to_yaml().replace("in_process", "auto"))
    done = subprocess.run(
        [sys.executable, "-c", TWO_NODES],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()  # Ray's own lines among them
    assert [line for line in said if line in ("lost", "0 180")] == ["lost", "0 180"]
    alone = run_sweep(small(experiment__name="alone", **LONG))
    assert runs_of(tmp_path / "outputs" / "experiment") == runs_of(alone.folder)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_driver_that_ends_takes_its_ray_with_it_and_the_sweep_goes_on(
    small, started, runs_of, end
):
    config = small(**LONG, execution__executor="ray")
    process = started(config)
    wait_for(process, lambda: stored_lines(config) >= 8)
    of_ray = [pid for pid in descendants(process.pid) if "ray" in command(pid)]
    process.send_signal(end)
    status, printed = finish(process)
    assert status != 0
    if end == signal.SIGINT:
        assert "The same command goes on from there" in printed
    # Workers go at once; two idle agents of Ray notice within a minute.
    until(lambda: not any("ray" in command(pid) for pid in of_ray), seconds=120)
    run_sweep(small(**LONG))
    expected = run_sweep(small(**LONG, experiment__name="alone"))
    assert runs_of(Path(config.output.dir) / "experiment") == runs_of(expected.folder)
