"""The seam between a sweep and the machines that do its work: one contract, one executor a file."""

from __future__ import annotations

import os
import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from llr.errors import LLRError

__all__ = [
    "AbstractExecutor",
    "Failure",
    "Outcome",
    "given_up",
    "search_path",
    "sentence",
    "thread_variables",
]

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Failure:
    """Why an item has no value.

    Attributes:
        message: one sentence.
        details: the traceback, where there is one.
    """

    message: str
    details: str = field(default="", repr=False)

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """The failure that an exception stands for."""
        details = "".join(traceback.format_exception(error))
        return cls(sentence(error), details)


@dataclass(frozen=True)
class Outcome(Generic[Item, Value]):
    """What became of one item: its value, or a failure.

    Attributes:
        item: what was asked for.
        value: what the function returned; None if it failed.
        failure: why it failed; None if it did not.
    """

    item: Item
    value: Value | None = None
    failure: Failure | None = None


class AbstractExecutor(ABC):
    """Applies a function to items, somewhere.

    The contract, which :class:`llr.testing.ExecutorContract` checks:

    - every item gives exactly one outcome, in any order, as soon as it is there;
    - an exception of the function becomes a failure of its item and of no other;
    - losing a worker loses no item: the item is tried again, then becomes a failure;
    - items are taken only as workers become free, so that neither items nor values pile up;
    - closing the iterator, or an exception in the code that reads it, stops the work and the
      workers.

    The function and the items must be picklable and importable by name: a worker may be another
    process, or another machine.

    Attributes:
        name: as configs call it.
        workers: how many items are worked on at once.
        threads: CPU threads that each item may use; None: as many as the process may.
    """

    name: str
    workers: int
    threads: int | None

    @abstractmethod
    def map(
        self, function: Callable[[Item], Value], items: Iterable[Item]
    ) -> Generator[Outcome[Item, Value], None, None]:
        """Apply ``function`` to every item.

        Args:
            function: of one item.
            items: taken one by one.

        Yields:
            One outcome an item.
        """


def sentence(error: BaseException) -> str:
    """An exception in one line, its type named unless the message is one of ours."""
    text = " ".join(str(error).split())
    if isinstance(error, LLRError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def given_up(ends: list[str]) -> str:
    """Why an item has no value, from how the workers ended that were to work on it."""
    if not ends:
        return "The sweep was stopped."
    if len(ends) > 1 and len(set(ends)) == 1:
        return f"Tried {len(ends)} times: each time the worker process {ends[0]}."
    return f"The worker process {', then on another try it '.join(ends)}."


def search_path() -> str:
    """Where a worker looks for modules: where this process does, but in the current folder last.

    Nothing in the current folder can then take the place of a module that is installed, and what
    the caller has imported from there is still found.
    """
    here = os.path.realpath(os.curdir)
    elsewhere = [place for place in sys.path if os.path.realpath(place or os.curdir) != here]
    return os.pathsep.join(elsewhere + [here] * (len(elsewhere) < len(sys.path)))


def thread_variables(threads: int) -> dict[str, str]:
    """Environment in which a worker's numerical libraries use so many threads."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))
