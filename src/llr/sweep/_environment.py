"""Where a sweep ran: what a reader needs to judge, or repeat, its numbers and its times."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["available_cpus", "describe_environment"]

_PACKAGES = ("llr", "torch", "numpy", "scipy", "numba")


def available_cpus() -> int:
    """CPUs that this process may use: its affinity, and the quota of its container if less."""
    counts = [os.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):
        counts.append(len(os.sched_getaffinity(0)))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        counts.append(-(-int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or "max": no quota
        pass
    return max(1, min(counts))


def describe_environment() -> dict[str, Any]:
    """Versions, machine and time, as JSON values."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "versions": versions,
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cpus": available_cpus(),
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
