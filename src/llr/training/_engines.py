"""The engines by name: choose the one that trains a batch of runs, compile them ahead of time."""

from __future__ import annotations

import time
from typing import Literal, get_args

from llr.errors import InvalidInputError, check_choice
from llr.training._abstract_engine import AbstractEngine
from llr.training._compilation import Warmup
from llr.training._optimizers import Optimizer
from llr.training._problem import Problem
from llr.training._torch_engine import TorchEngine
from llr.training.compiled import CompiledEngine
from llr.training.flow import FlowEngine

__all__ = ["ENGINES", "EngineName", "choose_engine", "warmup"]

EngineName = Literal["auto", "flow", "compiled", "torch"]

ENGINES: dict[str, AbstractEngine] = {
    "flow": FlowEngine(),
    "compiled": CompiledEngine(),
    "torch": TorchEngine(),
}
"""Engines by name; ``auto`` takes the first that can train the runs."""


def choose_engine(
    problem: Problem, optimizer: Optimizer, engine: EngineName | AbstractEngine
) -> AbstractEngine:
    """The engine that trains these runs.

    Args:
        problem: the runs.
        optimizer: how to train.
        engine: a name of ``ENGINES``; ``"auto"``: the first of them that can train the runs; or an
            engine, which is taken as it is.

    Returns:
        The engine.

    Raises:
        InvalidInputError: if the name is unknown, ``optimizer`` is none of llr's, or the engine
            cannot train these runs; the message says why.
    """
    if isinstance(engine, type) and issubclass(engine, AbstractEngine):
        raise InvalidInputError(
            f"engine must be an instance, got the class {engine.__name__}: write "
            f"{engine.__name__}()."
        )
    if not isinstance(engine, AbstractEngine):
        check_choice("engine", engine, get_args(EngineName))
    if not isinstance(optimizer, get_args(Optimizer)):
        got = optimizer.__name__ if isinstance(optimizer, type) else repr(optimizer)[:60]
        raise InvalidInputError(
            "optimizer must be an instance of llr's own, GradientDescent(lr=...), Adam(lr=...) or "
            f"GradientFlow(), got {got}."
        )
    if isinstance(engine, AbstractEngine):
        candidates = [engine]
    else:
        candidates = list(ENGINES.values()) if engine == "auto" else [ENGINES[engine]]
    reasons: list[str] = []
    for candidate in candidates:
        reason = candidate.why_not(problem, optimizer)
        if reason is None:
            return candidate
        reasons.append(reason)
    raise InvalidInputError(" ".join(reasons))


def warmup() -> list[Warmup]:
    """Compile every engine that has compiled code, or load it from Numba's cache on disk.

    Training compiles what it needs on first use; this does it ahead of time.

    Returns:
        For each of these engines, how long it took and whether anything was compiled.

    Example:
        >>> _ = warmup()
        >>> [(done.engine, done.compiled) for done in warmup()]
        [('flow', False), ('compiled', False)]
    """
    done = []
    for name, engine in ENGINES.items():
        if type(engine).compile is AbstractEngine.compile:
            continue
        start = time.perf_counter()
        compiled = engine.compile()
        done.append(Warmup(name, time.perf_counter() - start, compiled))
    return done
