"""Sweeps killed, starved, damaged and raced for, again and again: equal to an undisturbed one."""

import importlib.util
import os
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sweep.faults import (
    finish,
    killed_again_and_again,
    stored_lines,
    undisturbed,
    wait_for,
)
from tests.sweep.test_hostile_files import LINES, read_everything

from llr.sweep import load_results, run_sweep
from llr.sweep._json_lines import decode_line

HAS_RAY = importlib.util.find_spec("ray") is not None


def folder_of(config):
    return Path(config.output.dir) / config.experiment.name


def each_run_once(folder):
    """Whether every run stands in the shards once, whole, whoever wrote it."""
    content = b"\n".join(shard.read_bytes() for shard in folder.glob("runs/*.jsonl"))
    records = [decode_line(line + b"\n") for line in content.split(b"\n")]
    ids = [record["id"] for record in records if not isinstance(record, str)]
    return sorted(ids) == sorted(load_results(folder)["id"])


@pytest.mark.parametrize(
    ("executor", "times"),
    [
        ("in_process", 20),
        ("processes", 20),
        pytest.param(
            "ray", 20, marks=pytest.mark.skipif(not HAS_RAY, reason="needs Ray"), id="ray-20"
        ),
    ],
)
def test_a_driver_killed_again_and_again_loses_nothing(long, started, runs_of, executor, times):
    config = long(execution__executor=executor)
    killed = killed_again_and_again(config, started, times=times, seed=2)
    assert killed >= times // 4
    assert runs_of(folder_of(config)) == undisturbed(config, runs_of)
    assert each_run_once(folder_of(config))


def test_a_disk_that_is_full_at_any_byte_loses_nothing(long, started, runs_of):
    config = long()
    bytes_at = random.Random(4)
    for _ in range(8):
        most = bytes_at.randrange(100, 25_000)
        limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most})); "
        status, printed = finish(started(config, before=limit))
        assert status == 0 or "Runs that had finished are kept" in printed, printed
    run_sweep(config)
    assert runs_of(folder_of(config)) == undisturbed(config, runs_of)
    assert not list(Path(config.output.dir).rglob("*.tmp"))


def test_a_small_disk_that_runs_full_is_reported_and_the_sweep_goes_on_elsewhere(
    long, started, runs_of, tmp_path
):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a disk can be mounted by root only")
    try:
        config = long(output__dir=str(disk))
        status, printed = finish(started(config))
        assert status != 0
        assert "No space left on device" in printed
        assert 0 < stored_lines(config) <= 60
        subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
        run_sweep(config)
        assert runs_of(folder_of(config)) == undisturbed(config, runs_of)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_many_drivers_at_once_train_every_run_once(long, started, runs_of):
    config = long()
    while True:
        drivers = [started(config) for _ in range(4)]
        wait_for(drivers[0], lambda: stored_lines(config) >= 30)
        drivers[0].kill()
        ends = [finish(driver) for driver in drivers]
        assert all(status <= 0 or "one sweep at a time" in printed for status, printed in ends)
        if any(status == 0 for status, _ in ends):
            break
    assert runs_of(folder_of(config)) == undisturbed(config, runs_of)
    assert each_run_once(folder_of(config))


def test_files_damaged_anywhere_are_reported_and_mended(long, runs_of):
    config = long(training__max_steps=200)
    expected = undisturbed(config, runs_of)
    damage = random.Random(5)
    run_sweep(config)
    for times in range(1, 21):
        shard = damage.choice(sorted(folder_of(config).glob("runs/*.jsonl")))
        content = bytearray(shard.read_bytes())
        if damage.random() < 0.3:
            del content[damage.randrange(len(content)) :]
        else:
            content[damage.randrange(len(content))] ^= 1 << damage.randrange(8)
        shard.write_bytes(content)
        os.utime(shard, (damage.uniform(0, 4e9),) * 2)
        result = run_sweep(config)
        assert len(result.damage) <= 2 * times  # damaged shards stay as they are
        assert runs_of(folder_of(config)) == expected


@settings(max_examples=5000)
@given(lines=st.lists(LINES, max_size=6))
def test_any_lines_are_read_or_reported(lines, tmp_path_factory):
    read_everything(tmp_path_factory.getbasetemp() / "hostile", lines)
