"""What an executor promises, held by functions that workers load without importing PyTorch."""

from __future__ import annotations

import os
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from llr.executors import AbstractExecutor

__all__ = ["ExecutorContract"]


class ExecutorContract(ABC):
    """What :class:`llr.executors.AbstractExecutor` promises."""

    isolated = False
    """Whether a worker may die without taking the test with it."""

    @abstractmethod
    def make(self) -> AbstractExecutor:
        """A new executor."""

    def test_every_item_gives_its_value_once(self) -> None:
        outcomes = list(self.make().map(_square, range(20)))
        assert sorted(outcome.item for outcome in outcomes) == list(range(20))
        assert all(outcome.value == outcome.item**2 for outcome in outcomes)

    def test_no_items_give_no_outcomes(self) -> None:
        assert list(self.make().map(_square, [])) == []

    def test_an_exception_becomes_the_failure_of_its_item_and_of_no_other(self) -> None:
        outcomes = {outcome.item: outcome for outcome in self.make().map(_refuse_three, range(6))}
        assert len(outcomes) == 6
        failure = outcomes[3].failure
        assert failure is not None
        assert failure.message == "ValueError: three is not wanted"
        assert "_refuse_three" in failure.details
        assert all(outcomes[i].failure is None for i in (0, 1, 2, 4, 5))

    def test_items_are_taken_only_as_workers_become_free(self) -> None:
        executor = self.make()
        taken = 0

        def items() -> Iterator[int]:
            nonlocal taken
            for item in range(100):
                taken += 1
                yield item

        for seen, _ in enumerate(executor.map(_square, items()), start=1):
            assert taken <= seen + 2 * executor.workers
        assert taken == 100

    def test_it_can_be_left_early_and_used_again(self) -> None:
        executor = self.make()
        outcomes = executor.map(_square, range(100))
        assert next(outcomes).failure is None
        outcomes.close()
        assert [outcome.value for outcome in executor.map(_square, [7])] == [49]

    def test_an_exception_of_the_reader_comes_through(self) -> None:
        class _ReaderError(Exception):
            """Raised by the reader."""

        try:
            for _ in self.make().map(_square, range(10)):
                raise _ReaderError
        except _ReaderError:
            return
        raise AssertionError("the exception was lost")

    def test_an_item_whose_worker_dies_once_is_tried_again(self) -> None:
        if not self.isolated:
            return
        with tempfile.TemporaryDirectory() as name:
            items = [(Path(name) / f"{i}", i == 2) for i in range(5)]
            outcomes = list(self.make().map(_die_the_first_time, items))
        assert sorted(str(outcome.value) for outcome in outcomes) == list("01234")

    def test_an_item_that_kills_its_workers_becomes_a_failure_and_no_other_does(self) -> None:
        if not self.isolated:
            return
        outcomes = {outcome.item: outcome for outcome in self.make().map(_die_on_three, range(6))}
        assert len(outcomes) == 6
        failure = outcomes[3].failure
        assert failure is not None
        assert "SIGKILL" in failure.message
        assert all(outcomes[i].value == i for i in (0, 1, 2, 4, 5))


def _square(item: int) -> int:
    """The square, said aloud: what a task prints must not disturb the executor."""
    print(f"squaring {item}", flush=True)
    return item**2


def _refuse_three(item: int) -> int:
    """Raises for 3."""
    if item == 3:
        raise ValueError("three is not wanted")
    return item


def _die_on_three(item: int) -> int:
    """Kills its process for 3."""
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def _die_the_first_time(item: tuple[Path, bool]) -> str:
    """Kills its process if asked to, unless it did so before."""
    path, deadly = item
    if deadly and not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name
