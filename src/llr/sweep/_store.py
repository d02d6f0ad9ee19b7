"""Where finished runs are kept: one contract, one store a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

__all__ = ["AbstractStore", "Damage", "Entry", "FinishedRun"]


@dataclass(frozen=True)
class FinishedRun:
    """What is kept of a run: plain values and bytes, ready to travel between machines.

    Attributes:
        record: one flat row of JSON values, with at least ``id``, ``status`` and ``chunk`` (the
            runs it was trained with, as a digest).
        history: losses along the run, lists of numbers by name; None: not kept.
        parameters: final parameters as the bytes of a safetensors file; None: not kept.
    """

    record: dict[str, Any]
    history: dict[str, list[float | None]] | None = field(default=None, repr=False)
    parameters: bytes | None = field(default=None, repr=False)


class Entry(NamedTuple):
    """What the runner needs to know of a stored run.

    Attributes:
        chunk: digest of the runs it was trained with.
        failed: whether it ended in an error, so that it is to be tried again.
    """

    chunk: str
    failed: bool


@dataclass(frozen=True)
class Damage:
    """A line that cannot be read; its run counts as missing.

    Attributes:
        file: where.
        line: its number, from 1.
        reason: what is wrong with it.
    """

    file: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"


class AbstractStore(ABC):
    """Keeps finished runs by id.

    The contract, which :class:`llr.testing.StoreContract` checks: what ``append`` was given is
    there, whole, for every store opened later, also if the process is killed right after;
    what was stored is never changed; a run appended again after an error takes its place, and
    otherwise the first one stays; damage to one run is reported and costs no other.
    """

    @property
    @abstractmethod
    def entries(self) -> Mapping[str, Entry]:
        """Every stored run by id."""

    @property
    @abstractmethod
    def damage(self) -> Sequence[Damage]:
        """What could not be read when the store was opened."""

    @abstractmethod
    def append(self, runs: Sequence[FinishedRun]) -> None:
        """Keep runs; they are on the disk when this returns.

        Args:
            runs: with ids of their own.

        Raises:
            StoreError: if they cannot be written; what was stored before is as it was.
        """

    @abstractmethod
    def records(self, ids: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Records of stored runs, read one by one.

        Args:
            ids: of stored runs, in the order wanted.

        Yields:
            One flat row a run.
        """

    @abstractmethod
    def histories(self, ids: Iterable[str]) -> dict[str, dict[str, list[float | None]]]:
        """Losses along runs, those that were kept, by id."""

    @abstractmethod
    def parameters(self, run_id: str) -> dict[str, Tensor]:
        """Final parameters of a run by name.

        Raises:
            StoreError: if they were not kept.
        """

    @abstractmethod
    def close(self) -> None:
        """Release open files."""
