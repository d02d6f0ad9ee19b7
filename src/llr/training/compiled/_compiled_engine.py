"""The compiled engine: two-layer tanh runs, each on one core from start to end."""

from __future__ import annotations

import numpy as np
import torch

from llr.models import two_layer_structure
from llr.training._abstract_engine import AbstractEngine
from llr.training._compilation import compiles, numba_is_off, tiny_problem
from llr.training._optimizers import Adam, GradientDescent, GradientFlow, Optimizer
from llr.training._problem import Problem
from llr.training._run_result import RunResult
from llr.training._threads import on_threads

__all__ = ["CompiledEngine"]


class CompiledEngine(AbstractEngine):
    """Gradient descent and Adam for two-layer tanh networks in float64, compiled by Numba.

    One kernel serves the whole family: a fully connected net is one position that sees the whole
    input, an unshared convolution has a kernel for each position, a shared one has one for all.
    Every run stays in one core's cache; a run's numbers do not depend on the other runs or on the
    number of threads, to the last bit.
    """

    name = "compiled"

    def why_not(self, problem: Problem, optimizer: Optimizer) -> str | None:
        """Why this engine cannot train these runs, as a sentence; None if it can."""
        data = problem.x_train
        if isinstance(optimizer, GradientFlow):
            return "The compiled engine trains by gradient descent and Adam, not by gradient flow."
        if two_layer_structure(problem.model) is None:
            return (
                "The compiled engine trains two-layer tanh networks with one output, and "
                f"{type(problem.model).__name__} is not one. Use engine='torch'."
            )
        if data.dtype != torch.float64 or data.device.type != "cpu":
            return (
                "The compiled engine computes in float64 on the CPU, and the data are "
                f"{data.dtype} on {data.device}. Convert them, or use engine='torch'."
            )
        if not all(parameter.requires_grad for parameter in problem.model.parameters()):
            return (
                "The compiled engine trains all parameters, and some have requires_grad=False. "
                "Use engine='torch'."
            )
        if isinstance(optimizer, Adam) and optimizer.eps == 0:
            return "The compiled engine needs eps > 0 in Adam. Use engine='torch', or a small eps."
        if numba_is_off():
            return "The compiled engine needs Numba, and NUMBA_DISABLE_JIT switches it off."
        return None

    def compile(self) -> bool:
        """Compile the kernel, or load it from Numba's cache; see the interface."""
        if numba_is_off():
            return False
        from llr.training.compiled._two_layer_run import CompiledRun, descend

        problem, model = tiny_problem()
        run = CompiledRun(problem, 0, model.structure, GradientDescent(max_steps=1))
        return compiles(descend, lambda: run.train(self.name, np.zeros(1, dtype=np.bool_)))

    def run(
        self, problem: Problem, optimizer: Optimizer, *, threads: int | None = None
    ) -> list[RunResult]:
        """Train every run; see the interface. Compilation is not part of any run's seconds."""
        structure = two_layer_structure(problem.model)
        assert structure is not None
        assert not isinstance(optimizer, GradientFlow)
        self.compile()
        from llr.training.compiled._two_layer_run import CompiledRun

        def train(index: int, stop: np.ndarray) -> RunResult | None:
            # made by the thread that trains it, so that its memory lies near that core
            return CompiledRun(problem, index, structure, optimizer).train(self.name, stop)

        return on_threads(train, problem.n_train.tolist(), threads)
