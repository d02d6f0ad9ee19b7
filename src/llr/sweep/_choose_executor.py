"""Executors by the names that configs use, an entry a line."""

from __future__ import annotations

from collections.abc import Callable

from llr._machine import available_cpus
from llr.config import ExecutionConfig
from llr.executors import AbstractExecutor, InProcessExecutor, ProcessExecutor, RayExecutor

__all__ = ["EXECUTORS", "make_executor"]

WORTH_A_POOL_SECONDS = 20.0
"""Estimated work below which processes take longer to start than they save."""


def _in_process(execution: ExecutionConfig, n_chunks: int, device: str) -> AbstractExecutor:
    """This process; ``workers`` means nothing here."""
    return InProcessExecutor(threads=execution.threads)


def _processes(execution: ExecutionConfig, n_chunks: int, device: str) -> AbstractExecutor:
    """A pool with no more workers than chunks, its threads no more than processors."""
    cpus = available_cpus()
    workers = max(1, min(execution.workers or cpus, n_chunks))
    return ProcessExecutor(workers=workers, threads=execution.threads or max(1, cpus // workers))


def _ray(execution: ExecutionConfig, n_chunks: int, device: str) -> AbstractExecutor:
    """A cluster, by tasks of one processor; without an address one here, as large as the pool."""
    gpus = int(device != "cpu")
    if execution.address is not None:
        return RayExecutor(
            address=execution.address,
            workers=execution.workers,
            threads=execution.threads or 1,
            gpus=gpus,
        )
    pool = _processes(execution, n_chunks, device)
    return RayExecutor(workers=pool.workers, threads=pool.threads or 1, gpus=gpus)


EXECUTORS: dict[str, Callable[[ExecutionConfig, int, str], AbstractExecutor]] = {
    "in_process": _in_process,
    "processes": _processes,
    "ray": _ray,
}
"""How to make each executor, from the execution section, the number of chunks and the device."""


def make_executor(
    execution: ExecutionConfig, *, device: str, n_chunks: int, seconds: float
) -> AbstractExecutor:
    """The executor that a config names; ``auto``: processes where they pay.

    Args:
        execution: the config's section.
        device: where runs are trained; several processes would fight over one GPU.
        n_chunks: chunks of the whole grid.
        seconds: estimated work of the whole grid on one CPU.

    Raises:
        MissingExtraError: if it needs a library that is not installed.
    """
    name = execution.executor
    if name == "auto":
        several = min(execution.workers or available_cpus(), n_chunks) > 1
        pays = several and device == "cpu" and seconds > WORTH_A_POOL_SECONDS
        name = "processes" if pays else "in_process"
    return EXECUTORS[name](execution, n_chunks, device)
