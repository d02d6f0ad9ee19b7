"""Work done here, one item after the other: nothing to start, and a debugger sees all of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

from llr.executors._abstract import AbstractExecutor, Failure, Item, Outcome, Value

__all__ = ["InProcessExecutor"]


class InProcessExecutor(AbstractExecutor):
    """Applies the function in this process.

    Args:
        threads: CPU threads that each item may use; None: as many as the process may.

    Example:
        >>> [outcome.value for outcome in InProcessExecutor().map(abs, [-1, 2])]
        [1, 2]
    """

    name = "in_process"

    def __init__(self, *, threads: int | None = None) -> None:
        self.workers = 1
        self.threads = threads

    def map(
        self, function: Callable[[Item], Value], items: Iterable[Item]
    ) -> Generator[Outcome[Item, Value], None, None]:
        """Apply ``function`` to every item, in order.

        Args:
            function: of one item.
            items: taken one by one.

        Yields:
            One outcome an item.
        """
        for item in items:
            try:
                value = function(item)
            except Exception as error:  # one item's failure is data, the others go on
                yield Outcome(item, failure=Failure.of(error))
            else:
                yield Outcome(item, value)
