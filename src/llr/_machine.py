"""The machine that this process runs on."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_cpus"]

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux states how many microseconds of processor time a container has per period."""


def available_cpus() -> int:
    """CPUs that this process may use: its affinity, and the quota of its container if less."""
    counts = [os.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):
        counts.append(len(os.sched_getaffinity(0)))
    try:
        quota, period = _QUOTA.read_text().split()
        counts.append(-(-int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or "max": no quota
        pass
    return max(1, min(counts))
