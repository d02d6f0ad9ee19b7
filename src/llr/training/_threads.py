"""Runs on threads: one run a core, the longest first, and an interrupt that ends them all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import numpy as np

__all__ = ["on_threads"]

T = TypeVar("T")

_POLL_SECONDS = 0.2
"""How often the waiting thread wakes up to see a keyboard interrupt."""


def _cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def on_threads(
    work: Callable[[int, np.ndarray], T | None], costs: Sequence[float], threads: int | None
) -> list[T]:
    """``work(index, stop)`` for each index, on threads; the results in order of the index.

    Args:
        work: what to do. It looks at ``stop[0]`` now and then, also in compiled code, and returns
            None once that is true.
        costs: of each index, up to a factor; the longest begin.
        threads: how many; None: as many as the process may use.
    """
    stop = np.zeros(1, dtype=np.bool_)
    longest_first = sorted(range(len(costs)), key=lambda index: -costs[index])
    with ThreadPoolExecutor(max_workers=threads or _cores()) as pool:
        futures = {index: pool.submit(work, index, stop) for index in longest_first}
        try:
            while wait(futures.values(), timeout=_POLL_SECONDS).not_done:
                pass
        finally:
            stop[0] = True
            for future in futures.values():
                future.cancel()
    results = [futures[index].result() for index in range(len(costs))]
    return [result for result in results if result is not None]
