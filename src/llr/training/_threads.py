"""Runs on threads: one run per core, longest first; an interrupt ends all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import numpy as np

from llr._machine import available_cpus

__all__ = ["on_threads"]

T = TypeVar("T")

_POLL_SECONDS = 0.2
"""How often the waiting thread wakes up to see a keyboard interrupt."""


def on_threads(
    work: Callable[[int, np.ndarray], T | None], costs: Sequence[float], threads: int | None
) -> list[T]:
    """``work(index, stop)`` for each index, on threads; the results in order of the index.

    Args:
        work: what to do. It looks at ``stop[0]`` now and then, also in compiled code, and returns
            None once that is true.
        costs: of each index, up to a factor; the most expensive start first.
        threads: how many; None: as many as the process may use.
    """
    stop = np.zeros(1, dtype=np.bool_)
    longest_first = sorted(range(len(costs)), key=lambda index: -costs[index])
    with ThreadPoolExecutor(max_workers=threads or available_cpus()) as pool:
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
