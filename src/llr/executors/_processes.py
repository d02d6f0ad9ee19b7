"""Work shared between processes of this machine, each with its own pinned CPU threads.

The workers are plain child processes that speak over pipes: unlike ``multiprocessing``'s they do
not import the caller's main script, so no ``if __name__ == "__main__"`` is needed; unlike
``ProcessPoolExecutor``'s, one that is killed takes nothing with it but its own item, which is
tried again.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, BinaryIO, cast

from llr.errors import LLRError, check_positive_int
from llr.executors._abstract import (
    AbstractExecutor,
    Failure,
    Item,
    Outcome,
    Value,
    given_up,
    search_path,
    thread_variables,
)
from llr.executors._worker import receive, send

__all__ = ["ProcessExecutor"]


class _Worker:
    """One child process."""

    def __init__(self, threads: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", "from llr.executors._worker import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | thread_variables(threads) | {"PYTHONPATH": search_path()},
        )
        self._calls = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)
        self._ready = False

    def call(self, message: bytes) -> bytes:
        """Have one call made; EOFError or OSError if the process is gone."""
        if not self._ready:
            self._wait_until_ready()
        send(self._calls, message)
        return receive(self._answers)

    def _wait_until_ready(self) -> None:
        """Wait for the greeting; without one, no worker will ever start."""
        try:
            receive(self._answers)
        except EOFError:
            raise LLRError(
                f"A worker process must start, but it {self.end()}. What it printed stands "
                "above; execution.executor=in_process does without workers."
            ) from None
        self._ready = True

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def end(self) -> str:
        """Wait for a process that is going or gone, and say how it ended."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
            return "stopped answering"
        finally:
            for stream in (self._calls, self._answers):
                with suppress(OSError):  # what was still buffered for it
                    stream.close()
        if code >= 0:
            return f"ended with exit status {code}"
        hint = ", as the system does when memory runs out" if -code == signal.SIGKILL else ""
        return f"was killed by {signal.Signals(-code).name}{hint}"


class ProcessExecutor(AbstractExecutor):
    """Applies the function in a pool of child processes.

    Args:
        workers: number of processes.
        threads: CPU threads of each.
        attempts: how often an item is tried whose worker dies.

    Example:
        >>> with_two = ProcessExecutor(workers=2)
        >>> sorted(outcome.value for outcome in with_two.map(abs, [-1, 2, -3]))
        [1, 2, 3]
    """

    name = "processes"

    def __init__(self, *, workers: int, threads: int = 1, attempts: int = 2) -> None:
        self.workers = check_positive_int("workers", workers)
        self.threads: int | None = check_positive_int("threads", threads)
        self._threads = threads
        self._attempts = check_positive_int("attempts", attempts)

    def map(
        self, function: Callable[[Item], Value], items: Iterable[Item]
    ) -> Generator[Outcome[Item, Value], None, None]:
        """Apply ``function`` to every item; a worker starts when there is work for it.

        Args:
            function: of one item.
            items: taken one by one, as workers become free.

        Yields:
            One outcome an item, as they come.
        """
        pool = _Pool(self.workers, self._threads, self._attempts)
        running: set[Future[Outcome[Item, Value]]] = set()
        try:
            for item in items:
                while len(running) >= self.workers:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
                running.add(pool.submit(function, item))
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            pool.close()


class _Pool:
    """Threads, each of which waits for one worker process at a time."""

    def __init__(self, workers: int, threads: int, attempts: int) -> None:
        self._threads, self._attempts = threads, attempts
        self._waiters = ThreadPoolExecutor(workers, thread_name_prefix="llr-worker")
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._alive: set[_Worker] = set()
        self._closed = False

    def submit(self, function: Callable[[Any], Any], item: Any) -> Future[Outcome[Any, Any]]:
        """Have ``function(item)`` worked out."""
        return self._waiters.submit(self._outcome, function, item)

    def close(self) -> None:
        """End every worker, whatever it is doing."""
        with self._lock:
            self._closed = True
            alive = list(self._alive)
        for worker in alive:
            worker.kill()
        self._waiters.shutdown()
        for worker in alive:
            worker.end()

    def _outcome(self, function: Callable[[Any], Any], item: Any) -> Outcome[Any, Any]:
        """Try until a worker answers, or the attempts are used up."""
        try:
            message = pickle.dumps((function, item))
        except Exception as error:  # an item that cannot travel
            return Outcome(item, failure=Failure.of(error))
        ends: list[str] = []
        while len(ends) < self._attempts and not self._closed:
            worker = self._take()
            try:
                answer = worker.call(message)
            except (EOFError, OSError):
                ends.append(self._drop(worker))
            else:
                self._idle.put(worker)
                value, failure = pickle.loads(answer)
                return Outcome(item, value, failure)
        return Outcome(item, failure=Failure(given_up(ends)))

    def _take(self) -> _Worker:
        """A worker that is free, or a new one."""
        with suppress(queue.Empty):
            return self._idle.get_nowait()
        with self._lock:
            worker = _Worker(self._threads)
            self._alive.add(worker)
            if self._closed:
                worker.kill()
        return worker

    def _drop(self, worker: _Worker) -> str:
        """Forget a worker that is gone; how it ended."""
        with self._lock:
            self._alive.discard(worker)
        return worker.end()
