"""Work shared between the machines of a Ray cluster, or the processors of this one.

The work, the calls and the answers are those of the worker processes; Ray only carries them. Its
own retries are switched off: they would repeat a task that runs out of memory forever.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import pickle
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import llr
from llr._machine import available_cpus
from llr.errors import LLRError, MissingExtraError, check_positive_int
from llr.executors._abstract import (
    AbstractExecutor,
    Failure,
    Item,
    Outcome,
    Value,
    given_up,
    search_path,
    sentence,
    thread_variables,
)
from llr.executors._worker import answer

__all__ = ["RayExecutor"]

OBJECT_STORE_BYTES = 256 * 2**20
"""Of a Ray that is started here; it holds no more than the answers on their way."""

LOOK_SECONDS = 5.0
"""How often the nodes are counted again."""


class RayExecutor(AbstractExecutor):
    """Applies the function in tasks of Ray.

    A Ray that this process is connected to already is used and left as it is. Otherwise one is
    joined, or started on this machine, and left, or ended, when the work is done.

    Args:
        address: ``host:port`` of a cluster, or ``auto`` for one that runs on this machine; None:
            start one here, reachable from this machine only.
        workers: most items worked on at once; None: as many as the cluster holds.
        threads: CPUs that each item asks for, and threads that it may use.
        gpus: GPUs that each item asks for.
        attempts: how often an item is tried whose worker or node is lost.
        patience_s: seconds to wait for a node that can hold an item, where none can.

    Raises:
        MissingExtraError: if Ray is not installed.
    """

    name = "ray"

    def __init__(
        self,
        *,
        address: str | None = None,
        workers: int | None = None,
        threads: int = 1,
        gpus: int = 0,
        attempts: int = 2,
        patience_s: float = 600.0,
    ) -> None:
        if importlib.util.find_spec("ray") is None:
            raise MissingExtraError(
                "The executor 'ray' needs Ray, but ray is not installed. Install it with: "
                "pip install 'llr[ray]'; execution.executor=processes does without."
            )
        self.threads: int | None = check_positive_int("threads", threads)
        self._most = None if workers is None else check_positive_int("workers", workers)
        self.workers = self._most or max(1, available_cpus() // threads)
        self._address = address
        self._cpus = threads
        self._gpus = check_positive_int("gpus", gpus, minimum=0)
        self._attempts = check_positive_int("attempts", attempts)
        self._patience_s = patience_s

    def map(
        self, function: Callable[[Item], Value], items: Iterable[Item]
    ) -> Generator[Outcome[Item, Value], None, None]:
        """Apply ``function`` to every item; twice as many are taken as can be worked on.

        Args:
            function: of one item.
            items: taken one by one.

        Yields:
            One outcome an item, as they come.

        Raises:
            LLRError: if no cluster is there, its nodes lack this version of llr, or none of them
                can hold an item.
        """
        with self._connection() as ray:
            tasks = _Tasks(ray, self._options(), self._attempts)
            waiting = iter(items)
            looked, last_held = -LOOK_SECONDS, time.monotonic()
            try:
                while True:
                    if time.monotonic() - looked >= LOOK_SECONDS:
                        looked, held = time.monotonic(), self._room(ray)
                        if held:
                            last_held = looked
                            self.workers = min(held, self._most or held)
                        elif looked - last_held > self._patience_s:
                            raise LLRError(self._no_room(ray))
                    for item in islice(waiting, max(0, 2 * self.workers - len(tasks.running))):
                        if (failure := tasks.submit(function, item)) is not None:
                            yield Outcome(item, failure=failure)
                    if not tasks.running:
                        return
                    yield from tasks.finished(timeout_s=LOOK_SECONDS)
            finally:
                tasks.cancel()

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """Ray, connected; afterwards it is as it was before."""
        import ray

        if ray.is_initialized():
            yield ray
            return
        how: dict[str, Any] = {
            "log_to_driver": False,
            "configure_logging": False,
            "job_config": _job_without_folders(),
        }
        try:
            with _process_as_before():
                if self._address is not None:
                    _check_reachable(self._address)
                    ray.init(self._address, **how)
                else:
                    with _on_loopback():
                        ray.init(
                            "local",
                            num_cpus=self._cpus * self.workers,
                            num_gpus=None if self._gpus else 0,
                            include_dashboard=False,
                            object_store_memory=OBJECT_STORE_BYTES,
                            _node_ip_address="127.0.0.1",
                            **how,
                        )
        except Exception as error:  # whatever Ray raises: it is no cluster
            where = "start on this machine" if self._address is None else f"be at {self._address}"
            raise LLRError(
                f"Ray must {where}, but: {sentence(error)}. See execution.address in the config; "
                "execution.executor=processes does without Ray."
            ) from error
        try:
            yield ray
        finally:
            ray.shutdown()

    def _options(self) -> dict[str, Any]:
        """What a task asks of Ray."""
        return {
            "num_cpus": self._cpus,
            "num_gpus": self._gpus,
            "max_retries": 0,
            "name": "llr",
            "runtime_env": {"env_vars": thread_variables(self._cpus) | self._where_to_import()},
        }

    def _where_to_import(self) -> dict[str, str]:
        """Environment that says where workers look for modules; other machines know that best."""
        return {"PYTHONPATH": search_path()} if self._address is None else {}

    def _room(self, ray: Any) -> int:
        """How many items the nodes hold at once that are alive."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        return sum(
            min(
                int(has.get(name, 0) // wanted)
                for name, wanted in (("CPU", self._cpus), ("GPU", self._gpus))
                if wanted
            )
            for has in nodes
        )

    def _no_room(self, ray: Any) -> str:
        """Why the work cannot go on."""
        gpus = f" and {self._gpus} GPUs" if self._gpus else ""
        there = ", ".join(
            f"{has.get('CPU', 0):g} CPUs and {has.get('GPU', 0):g} GPUs"
            for has in (node["Resources"] for node in ray.nodes() if node["Alive"])
        )
        return (
            f"The Ray cluster must have a node with {self._cpus} CPUs{gpus} for each item, but for "
            f"{self._patience_s:g} s none was there (its nodes have {there or 'gone'}). Start "
            "nodes, or set execution.threads; the same command resumes from there."
        )


@dataclass
class _Call:
    """An item on its way."""

    item: Any
    message: bytes
    ends: list[str] = field(default_factory=list)


class _Tasks:
    """Calls that were handed to Ray and have not come back."""

    def __init__(self, ray: Any, options: dict[str, Any], attempts: int) -> None:
        self._ray, self._attempts = ray, attempts
        self._serve = ray.remote(_serve).options(**options)
        self.running: dict[Any, _Call] = {}

    def submit(self, function: Callable[[Any], Any], item: Any) -> Failure | None:
        """Have ``function(item)`` worked out; a failure if the item cannot travel."""
        try:
            message = pickle.dumps((function, item))
        except Exception as error:
            return Failure.of(error)
        self._send(_Call(item, message))
        return None

    def finished(self, *, timeout_s: float) -> Iterator[Outcome[Any, Any]]:
        """What has come back, once something has or the time is over."""
        wait = self._ray.wait
        if not wait(list(self.running), timeout=timeout_s)[0]:
            return
        refs = list(self.running)
        for ref in wait(refs, num_returns=len(refs), timeout=0)[0]:
            if (outcome := self._outcome(ref, self.running.pop(ref))) is not None:
                yield outcome

    def cancel(self) -> None:
        """End every call, whatever it is doing."""
        for ref in self.running:
            with suppress(Exception):  # the cluster may be gone
                self._ray.cancel(ref, force=True)
        self.running.clear()

    def _send(self, call: _Call) -> None:
        """Hand a call to Ray."""
        self.running[self._serve.remote(llr.__version__, call.message)] = call

    def _outcome(self, ref: Any, call: _Call) -> Outcome[Any, Any] | None:
        """What became of a call; None if it is tried again."""
        errors = self._ray.exceptions
        try:
            value, failure = pickle.loads(self._ray.get(ref))
        except (errors.RayTaskError, errors.RuntimeEnvSetupError) as error:
            cause = getattr(error, "cause", None) or error
            raise LLRError(
                f"Every node of the Ray cluster must have llr {llr.__version__} and run its "
                f"tasks, but: {sentence(cause)}"
            ) from error
        except errors.RayError as error:
            call.ends.append(_end(errors, error))
            if len(call.ends) < self._attempts:
                self._send(call)
                return None
            return Outcome(call.item, failure=Failure(given_up(call.ends), str(error)))
        return Outcome(call.item, value, failure)


def _serve(version: str, call: bytes) -> bytes:
    """Runs on a node: makes one call, if the node has the version that asks."""
    if version != llr.__version__:
        raise LLRError(f"a node has llr {llr.__version__}; install the same version on it.")
    return answer(call)


def _end(errors: Any, error: Exception) -> str:
    """How a call was lost, to follow the words "the worker"."""
    if isinstance(error, errors.OutOfMemoryError):
        return "was ended by Ray because memory ran out on its node"
    if isinstance(error, errors.WorkerCrashedError):
        return "died, as by SIGKILL, or as the system does when memory runs out"
    if isinstance(error, (errors.NodeDiedError, errors.LocalRayletDiedError)):
        return "was lost with its node"
    return f"was lost ({sentence(error)})"


def _check_reachable(address: str) -> None:
    """Try to connect: Ray itself would try for minutes, then end the process."""
    host, _, port = address.rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _job_without_folders() -> Any:
    """Settings that keep Ray from putting the driver's folders first on its workers' search path.

    Ray would add the current folder and that of the script, in front of all that is installed.
    """
    from ray.job_config import JobConfig

    class NoFolders(list[str]):
        def extend(self, values: Iterable[str], /) -> None:
            """Add nothing."""

    job = JobConfig()
    job._py_driver_sys_path = NoFolders()
    return job


@contextmanager
def _process_as_before() -> Iterator[None]:
    """Quietly; then give the process back its environment and its way to end."""
    environment = dict(os.environ)
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.ERROR)
    is_main = threading.current_thread() is threading.main_thread()
    ending = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        for key in os.environ.keys() - environment.keys():
            del os.environ[key]
        os.environ.update(environment)
        logger.setLevel(level)
        if is_main:
            signal.signal(signal.SIGTERM, ending)


@contextmanager
def _on_loopback() -> Iterator[None]:
    """Have a Ray that is started inside keep to itself: ports on loopback, no reports.

    On Linux, Ray replaces a loopback address by the machine's own unless it is told that it can
    have no other nodes; it reads that from the environment, once, when it is imported.
    """
    from ray._private import ray_constants

    name = "ENABLE_RAY_CLUSTER"
    before = getattr(ray_constants, name, None)
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    setattr(ray_constants, name, False)
    try:
        yield
    finally:
        setattr(ray_constants, name, before)
