"""Where a sweep ran: what a reader needs to judge, or repeat, its numbers and its times."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from llr._machine import available_cpus

__all__ = ["describe_environment"]

_PACKAGES = ("llr", "torch", "numpy", "scipy", "numba")


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
