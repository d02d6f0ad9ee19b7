"""The work of one chunk: specs in, what is to be stored out. It runs wherever the executor is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llr._show import json_ready
from llr.sweep._build_problem import build_problem, optimizer_of
from llr.sweep._chunks import Chunk
from llr.sweep._record import RECORD_FIELDS, fields_of_origin, in_order
from llr.sweep._spec import RunSpec
from llr.sweep._store import FinishedRun
from llr.training import EngineName, RunResult, train_batch

__all__ = ["TrainChunk", "error_record", "whole_record"]

_LONGEST_MESSAGE = 2000


@dataclass(frozen=True)
class TrainChunk:
    """Trains a chunk: a function with its settings, in a form that travels.

    Attributes:
        engine: as in ``train_batch``.
        device: where to train.
        threads: CPU threads to use; None: as many as the process may.
        keep_parameters: whether final parameters are wanted.
    """

    engine: EngineName
    device: str
    threads: int | None
    keep_parameters: bool

    def __call__(self, chunk: Chunk) -> list[FinishedRun]:
        """Train all runs of the chunk; return those that are wanted."""
        problem = build_problem(chunk.specs)
        if self.device != "cpu":
            problem = problem.to(self.device)
        results = train_batch(
            problem, optimizer_of(chunk.specs[0]), engine=self.engine, threads=self.threads
        )
        return [
            self._finished(spec, result, chunk)
            for spec, result in zip(chunk.specs, results, strict=True)
            if spec.id in chunk.wanted
        ]

    def _finished(self, spec: RunSpec, result: RunResult, chunk: Chunk) -> FinishedRun:
        """What is kept of one run."""
        history = result.history.to_dict()
        record = {**_described(spec, chunk), **result.summary()}
        return FinishedRun(
            record=_row(record, chunk.digest),
            history={name: [json_ready(value) for value in row] for name, row in history.items()},
            parameters=_parameter_bytes(result) if self.keep_parameters else None,
        )


def error_record(chunk: Chunk, message: str) -> FinishedRun:
    """What is kept of a chunk's one run that could not be trained; it will be tried again."""
    nothing = dict.fromkeys(fields_of_origin("training"))
    ended = {"status": "error", "message": message[:_LONGEST_MESSAGE]}
    return FinishedRun(_row(_described(chunk.specs[0], chunk) | nothing | ended, chunk.digest))


def whole_record(spec: RunSpec, record: Mapping[str, Any]) -> dict[str, Any]:
    """A stored record with every field; what older versions did not store is in the spec."""
    return {**dict.fromkeys(RECORD_FIELDS), **spec.described(), **record}


def _described(spec: RunSpec, chunk: Chunk) -> dict[str, Any]:
    """The fields that are known before training."""
    return {**spec.described(), "n_parameters": chunk.n_parameters}


def _row(record: dict[str, Any], digest: str) -> dict[str, Any]:
    """The record in its documented order, JSON values only, and the chunk it came from."""
    return json_ready(in_order(record, RECORD_FIELDS)) | {"chunk": digest}


def _parameter_bytes(result: RunResult) -> bytes:
    """Parameters by name, as the bytes of a safetensors file."""
    from safetensors.torch import save

    return save({name: value.contiguous() for name, value in result.params.items()})
