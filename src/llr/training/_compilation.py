"""Compilation ahead of training, and how long it takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from llr.models import TwoLayerTanhMLP
from llr.training._problem import Problem

__all__ = ["Warmup", "compiles", "numba_is_off", "tiny_problem"]


@dataclass(frozen=True)
class Warmup:
    """The outcome of compiling an engine ahead of time.

    Attributes:
        engine: name of the engine.
        seconds: time it took.
        compiled: whether anything was compiled; False: it was found in Numba's cache on disk, or
            had been compiled in this process before.
    """

    engine: str
    seconds: float
    compiled: bool

    def summary(self) -> dict[str, str | float | bool]:
        """One flat row."""
        return {"engine": self.engine, "seconds": self.seconds, "compiled": self.compiled}


def numba_is_off() -> bool:
    """Whether the environment tells Numba to interpret instead of compiling."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def compiles(function: Any, call: Callable[[], object]) -> bool:
    """Whether a call made Numba compile a function that was not in its cache."""
    before = sum(function.stats.cache_misses.values())
    call()
    return sum(function.stats.cache_misses.values()) > before


def tiny_problem(dtype: torch.dtype = torch.float64) -> tuple[Problem, TwoLayerTanhMLP]:
    """One run of the smallest network on one sample."""
    model = TwoLayerTanhMLP(1, width=1, dtype=dtype, generator=torch.Generator())
    one, index = torch.ones(1, 1, 1, dtype=dtype), torch.ones(1, dtype=torch.int64)
    params = {name: value.detach().unsqueeze(0) for name, value in model.named_parameters()}
    return Problem(model, params, one, one, index, one, one, index), model
