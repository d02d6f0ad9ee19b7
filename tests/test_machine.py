"""The number of CPUs that this process may use."""

import os

import pytest

from llr import _machine
from llr._machine import available_cpus


@pytest.fixture
def eight(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [("max 100000", 8), ("150000 100000", 2), ("50000 100000", 1), ("9900000 100000", 8)],
)
def test_the_quota_of_a_container_counts(eight, monkeypatch, tmp_path, quota, cpus):
    monkeypatch.setattr(_machine, "_QUOTA", tmp_path / "cpu.max")
    assert available_cpus() == 8  # no such file
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert available_cpus() == cpus


def test_affinity_counts(eight, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5})
    assert available_cpus() <= 2


def test_engines_and_sweeps_have_one_answer():
    from llr.sweep import _environment
    from llr.training import _threads

    assert _threads.available_cpus is _environment.available_cpus is available_cpus
