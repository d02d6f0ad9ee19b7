"""Which runs are trained together: a partition of the whole grid, whatever is already done.

An engine's last bits may depend on which runs share a batch. So that a sweep which was stopped
and resumed reproduces an undisturbed one bit for bit, the partition is a function of the grid
alone, and a chunk of which only a part was stored is trained again whole; what was stored stays,
what was missing is kept.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from llr.sweep._spec import RunSpec
from llr.sweep._store import Entry
from llr.training import GradientFlow

__all__ = ["Chunk", "partition", "pending"]

TARGET_SECONDS = 5.0
"""A chunk is filled up to about this much work, so that little is lost when it is."""

MAX_RUNS = 256
"""Most runs of a chunk."""

SECONDS_A_STEP = 2e-5
"""What a training step of a batch costs whatever its size (measured, to a factor of about 3)."""

SECONDS_A_SAMPLE_AND_PARAMETER = 4e-10
"""What a step costs beyond that, for each run, training sample and parameter (likewise)."""

FLOW_STEPS = 3000
"""Solver steps that a gradient flow is counted as; its own limit is far above what it takes."""


@dataclass(frozen=True)
class Chunk:
    """Runs of one architecture and optimizer that are trained together.

    Attributes:
        specs: the runs, sample sizes ascending.
        wanted: ids of those whose results are to be kept.
        n_parameters: of each run's model.
    """

    specs: tuple[RunSpec, ...]
    wanted: frozenset[str]
    n_parameters: int

    @property
    def seconds(self) -> float:
        """An estimate of how long it takes."""
        return _seconds(self.specs[-1], len(self.specs), self.n_parameters)

    @property
    def digest(self) -> str:
        """Names the composition: equal for the same runs in the same order."""
        return _digest(spec.id for spec in self.specs)

    def singly(self) -> list[Chunk]:
        """The wanted runs, each in a chunk of its own."""
        return [
            Chunk((spec,), frozenset([spec.id]), self.n_parameters)
            for spec in self.specs
            if spec.id in self.wanted
        ]


def partition(specs: Iterable[RunSpec], *, batch_size: int | None = None) -> list[Chunk]:
    """The grid cut into chunks of equal shape that take seconds, the longest first.

    Args:
        specs: the whole grid.
        batch_size: most runs of a chunk, whatever the work; None: by the work.

    Returns:
        Every run in exactly one chunk, and wanted; the chunks depend on the arguments and on
        nothing else.
    """
    shapes: dict[tuple[Any, ...], list[RunSpec]] = defaultdict(list)
    for spec in specs:
        shapes[spec.batch_key].append(spec)
    chunks: list[Chunk] = []
    for same_shape in shapes.values():
        ordered = sorted(same_shape, key=lambda spec: spec.sample_size)
        n_parameters = sum(p.numel() for p in ordered[0].build_model().parameters())
        first = 0
        for last in range(1, len(ordered) + 1):
            n_runs = last + 1 - first  # were the run at index last to join
            if batch_size is not None:
                full = n_runs > batch_size
            else:
                full = n_runs > MAX_RUNS or (
                    last < len(ordered)
                    and _seconds(ordered[last], n_runs, n_parameters) > TARGET_SECONDS
                )
            if full or last == len(ordered):
                batch = tuple(ordered[first:last])
                chunks.append(Chunk(batch, frozenset(spec.id for spec in batch), n_parameters))
                first = last
    return sorted(chunks, key=lambda chunk: chunk.seconds, reverse=True)


def pending(chunks: Iterable[Chunk], entries: Mapping[str, Entry]) -> list[Chunk]:
    """What is left to train.

    A chunk of which a part is stored is trained again in the composition in which that part was
    trained, if the chunk still shows it: the missing runs and those stored with one digest, where
    the digest fits. Otherwise (the sweep was extended) the missing runs alone are trained.

    Args:
        chunks: the partition of the grid.
        entries: the stored runs.

    Returns:
        One chunk for each chunk with missing runs, in order.
    """
    left = []
    for chunk in chunks:
        stored = {
            spec.id: entry.chunk
            for spec in chunk.specs
            if (entry := entries.get(spec.id)) is not None and not entry.failed
        }
        missing = chunk.wanted.difference(stored)
        if not missing:
            continue
        composition = tuple(spec for spec in chunk.specs if spec.id in missing)
        for digest in sorted(set(stored.values())):
            candidate = tuple(spec for spec in chunk.specs if stored.get(spec.id, digest) == digest)
            if _digest(spec.id for spec in candidate) == digest:
                composition = candidate
        left.append(Chunk(composition, missing, chunk.n_parameters))
    return left


def _seconds(largest: RunSpec, n_runs: int, n_parameters: int) -> float:
    """How long a chunk takes on one CPU if no run ends early, to a small factor."""
    optimizer = largest.optimizer
    steps = FLOW_STEPS if isinstance(optimizer, GradientFlow) else optimizer.max_steps
    work = n_runs * largest.sample_size * n_parameters
    return steps * (SECONDS_A_STEP + work * SECONDS_A_SAMPLE_AND_PARAMETER)


def _digest(ids: Iterable[str]) -> str:
    """Twelve hexadecimal digits for a sequence of ids."""
    return hashlib.sha256(" ".join(ids).encode()).hexdigest()[:12]
