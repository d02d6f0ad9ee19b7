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
from functools import cached_property
from itertools import zip_longest
from typing import Any

from llr.config import CONVOLUTIONS
from llr.sweep._spec import RunSpec
from llr.sweep._store import Entry
from llr.training import GradientFlow

__all__ = ["Chunk", "partition", "pending"]

TARGET_SECONDS = 2.0
"""A chunk is filled up to about this much work, so that little is lost when it is."""

MAX_RUNS = 256
"""Most runs of a chunk."""


@dataclass(frozen=True)
class _Cost:
    """What training costs on one CPU, measured, good to a factor of about 3.

    Attributes:
        a_step: seconds a step of a batch, whatever its size.
        a_run: seconds a step and run.
        a_sample: seconds a step, run, training sample and parameter.
        steps: steps that are counted; None: the optimizer's most.
    """

    a_step: float
    a_run: float
    a_sample: float
    steps: int | None = None


_TWO_LAYER = ("mlp", *CONVOLUTIONS)
"""Models that the compiled engine trains."""

_COMPILED = _Cost(a_step=0.0, a_run=1e-6, a_sample=6e-10)
_STACKED = _Cost(a_step=5e-4, a_run=0.0, a_sample=4e-9)
_FLOW = _Cost(a_step=0.0, a_run=5e-5, a_sample=3e-8, steps=100)


@dataclass(frozen=True)
class Chunk:
    """Runs of one architecture and optimizer that are trained together.

    Attributes:
        specs: the runs, sample sizes ascending.
        wanted: ids of those whose results are to be kept.
        n_parameters: of each run's model.
        seconds: about how long it takes on one CPU if no run ends early.
    """

    specs: tuple[RunSpec, ...]
    wanted: frozenset[str]
    n_parameters: int
    seconds: float

    @cached_property
    def digest(self) -> str:
        """Names the composition: equal for the same runs in the same order."""
        return _digest(spec.id for spec in self.specs)

    def holding(self, specs: Iterable[RunSpec], wanted: frozenset[str]) -> Chunk:
        """A chunk of some of these runs."""
        some = tuple(specs)
        share = len(some) / len(self.specs)
        return Chunk(some, wanted, self.n_parameters, share * self.seconds)

    def singly(self) -> list[Chunk]:
        """The wanted runs, each in a chunk of its own."""
        return [
            self.holding([spec], frozenset([spec.id]))
            for spec in self.specs
            if spec.id in self.wanted
        ]


def partition(
    specs: Iterable[RunSpec], *, batch_size: int | None = None, engine: str = "auto"
) -> list[Chunk]:
    """The grid cut into chunks of equal shape that take seconds, the longest first.

    Args:
        specs: the whole grid.
        batch_size: most runs of a chunk, whatever the work; None: by the work.
        engine: what will train them, which the work depends on.

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
        batch: list[RunSpec] = []
        for spec, following in zip_longest(ordered, ordered[1:]):
            batch.append(spec)
            fixed, growing = _work(following or spec, len(batch) + 1, n_parameters, engine)
            if batch_size is not None:
                full = len(batch) == batch_size
            else:
                full = len(batch) == MAX_RUNS or growing > max(TARGET_SECONDS, fixed)
            if full or following is None:
                seconds = sum(_work(spec, len(batch), n_parameters, engine))
                ids = frozenset(spec.id for spec in batch)
                chunks.append(Chunk(tuple(batch), ids, n_parameters, seconds))
                batch = []
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
        left.append(chunk.holding(composition, missing))
    return left


def _work(largest: RunSpec, n_runs: int, n_parameters: int, engine: str) -> tuple[float, float]:
    """Seconds of a batch that it costs whatever its size, and that grow with it."""
    cost = _FLOW if isinstance(largest.optimizer, GradientFlow) else _COMPILED
    if cost is _COMPILED and (engine == "torch" or largest.model not in _TWO_LAYER):
        cost = _STACKED
    steps = cost.steps or largest.optimizer.max_steps
    a_run = cost.a_run + largest.sample_size * n_parameters * cost.a_sample
    return steps * cost.a_step, steps * n_runs * a_run


def _digest(ids: Iterable[str]) -> str:
    """Twelve hexadecimal digits for a sequence of ids."""
    return hashlib.sha256(" ".join(ids).encode()).hexdigest()[:12]
