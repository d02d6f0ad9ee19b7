"""The compiled engine: two-layer tanh runs one by one, each on one of the free cores."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np
import torch

from llr.models import TwoLayerTanhMLP, two_layer_structure
from llr.training._engine import AbstractEngine
from llr.training._optimizers import Adam, GradientDescent, GradientFlow, Optimizer
from llr.training._problem import Problem, RunResult
from llr.training._threads import on_threads

__all__ = ["CompiledEngine", "Warmup", "warmup"]


class CompiledEngine(AbstractEngine):
    """Gradient descent and Adam for two-layer tanh networks in float64, compiled by Numba.

    One kernel serves the whole family: a fully connected net is one position that sees the whole
    input, an unshared convolution has a kernel a position, a shared one has one kernel for all.
    Every run stays in one core's cache; a run's numbers do not depend on the other runs or on the
    number of threads, to the last bit.
    """

    name = "compiled"

    def why_not(self, problem: Problem, optimizer: Optimizer) -> str | None:
        """Why this engine cannot train these runs, as a sentence; None if it can."""
        parameters = list(problem.model.parameters())
        data = problem.x_train
        if isinstance(optimizer, GradientFlow):
            return "The compiled engine trains by gradient descent and Adam, not by gradient flow."
        if two_layer_structure(problem.model) is None:
            return (
                "The compiled engine trains two-layer tanh networks with one output, and "
                f"{type(problem.model).__name__} is none of them. Use engine='torch'."
            )
        if data.dtype != torch.float64 or data.device.type != "cpu":
            return (
                "The compiled engine computes in float64 on the CPU, and the data are "
                f"{data.dtype} on {data.device}. Convert them, or use engine='torch'."
            )
        if not all(parameter.requires_grad for parameter in parameters):
            return (
                "The compiled engine trains all parameters, and some have requires_grad=False. "
                "Use engine='torch'."
            )
        if isinstance(optimizer, Adam) and optimizer.eps == 0:
            return "The compiled engine needs eps > 0 in Adam. Use engine='torch', or a small eps."
        if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
            return "The compiled engine needs Numba, and NUMBA_DISABLE_JIT switches it off."
        return None

    def run(
        self, problem: Problem, optimizer: Optimizer, *, threads: int | None = None
    ) -> list[RunResult]:
        """Train every run; see the interface. Compilation is not part of any run's seconds."""
        structure = two_layer_structure(problem.model)
        assert structure is not None
        assert not isinstance(optimizer, GradientFlow)
        warmup()
        from llr.training._compiled_run import CompiledRun

        # a run is made by the thread that trains it: its memory lies near that core
        def train(index: int, stop: np.ndarray) -> RunResult | None:
            run = CompiledRun(problem, index, structure, optimizer)
            return run.train(self.name, lambda: bool(stop[0]))

        return on_threads(train, problem.n_train.tolist(), threads)


@dataclass(frozen=True)
class Warmup:
    """What compiling ahead has done.

    Attributes:
        seconds: time it took.
        compiled: whether there was anything to compile; False: it was found in Numba's cache on
            disk, or in this process already.
    """

    seconds: float
    compiled: bool

    def summary(self) -> dict[str, float | bool]:
        """One flat row."""
        return {"seconds": self.seconds, "compiled": self.compiled}


def warmup() -> Warmup:
    """Compile the engine's kernel, or load it from Numba's cache on disk.

    Returns:
        How long it took, and whether it was compiled.

    Example:
        >>> first, second = warmup(), warmup()
        >>> second.compiled
        False
    """
    start = time.perf_counter()
    from llr.training._compiled_run import CompiledRun, compilations

    before = compilations()
    model = TwoLayerTanhMLP(1, width=1, generator=torch.Generator())
    one, index = torch.ones(1, 1, 1, dtype=torch.float64), torch.ones(1, dtype=torch.int64)
    params = {name: value.detach().unsqueeze(0) for name, value in model.named_parameters()}
    problem = Problem(model, params, one, one, index, one, one, index)
    CompiledRun(problem, 0, model.structure, GradientDescent(max_steps=1)).train("", lambda: False)
    return Warmup(seconds=time.perf_counter() - start, compiled=compilations() > before)
