"""The compiled engine: runs of layered networks, each on one core from start to end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from llr.models import LayeredNetwork, TwoLayerStructure, layered_network, two_layer_structure
from llr.training._abstract_engine import AbstractEngine
from llr.training._compilation import compiles, numba_is_off, tiny_problem
from llr.training._optimizers import Adam, Descent, GradientDescent, GradientFlow, Optimizer
from llr.training._problem import Problem
from llr.training._run_result import RunResult
from llr.training._threads import on_threads

__all__ = ["CompiledEngine"]

DTYPES = (torch.float64, torch.float32)


class CompiledEngine(AbstractEngine):
    """Gradient descent, momentum and Adam for chains of layers, compiled by Numba.

    The networks are those of :func:`llr.models.layered_network`: linear layers, convolutions with
    and without weight sharing, average pooling, and every activation of ``llr.models.ACTIVATIONS``,
    of any depth and with any number of outputs. One kernel walks the list of layers, so no
    architecture is compiled by itself; two-layer tanh networks in float64 have a kernel of their
    own. A run stays in one core's cache; its numbers do not depend on the other runs or on the
    number of threads, to the last bit.
    """

    name = "compiled"

    def why_not(self, problem: Problem, optimizer: Optimizer) -> str | None:
        """Why this engine cannot train these runs, as a sentence; None if it can."""
        data, model = problem.x_train, problem.model
        if isinstance(optimizer, GradientFlow):
            return "The compiled engine trains by gradient descent and Adam, not by gradient flow."
        if _structure(problem) is None:
            return (
                "The compiled engine trains chains of linear and convolutional layers, average "
                f"pooling and known activations, and {type(model).__name__} is not one. Use "
                "engine='torch'."
            )
        if data.dtype not in DTYPES or data.device.type != "cpu":
            return (
                "The compiled engine computes in float64 or float32 on the CPU, and the data are "
                f"{data.dtype} on {data.device}. Convert them, or use engine='torch'."
            )
        if not all(parameter.requires_grad for parameter in model.parameters()):
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
        """Compile the kernels, or load them from Numba's cache; see the interface."""
        if numba_is_off():
            return False
        problem, model = tiny_problem()
        network = layered_network(model, (1,))
        assert network is not None
        done = [self.compile_for(problem, model.structure)]
        done += [self.compile_for(tiny_problem(dtype)[0], network) for dtype in DTYPES]
        return any(done)

    def compile_for(self, problem: Problem, structure: TwoLayerStructure | LayeredNetwork) -> bool:
        """Compile the kernel for one kind of run, or load it; whether it was compiled."""
        from llr.training.compiled import _layer_kernels, _two_layer_kernels

        two_layer = isinstance(structure, TwoLayerStructure)
        kernel = _two_layer_kernels.descend if two_layer else _layer_kernels.descend
        train = self._trainer(problem, structure, GradientDescent(max_steps=1))
        return compiles(kernel, lambda: train(0, np.zeros(1, dtype=np.bool_)))

    def _trainer(
        self,
        problem: Problem,
        structure: TwoLayerStructure | LayeredNetwork,
        optimizer: Descent,
    ) -> Callable[[int, np.ndarray], RunResult | None]:
        """A function that trains one run, made by the thread that calls it, near its core."""
        from llr.training.compiled._layer_run import LayerRun
        from llr.training.compiled._two_layer_run import TwoLayerRun

        def train(index: int, stop: np.ndarray) -> RunResult | None:
            if isinstance(structure, TwoLayerStructure):
                run = TwoLayerRun(problem, index, structure, optimizer)
            else:
                run = LayerRun(problem, index, structure, optimizer)
            return run.train(self.name, stop)

        return train

    def run(
        self, problem: Problem, optimizer: Optimizer, *, threads: int | None = None
    ) -> list[RunResult]:
        """Train every run; see the interface. Compilation is not part of any run's seconds."""
        structure = _structure(problem)
        assert structure is not None
        assert not isinstance(optimizer, GradientFlow)
        two_layer = isinstance(structure, TwoLayerStructure)
        tiny, model = tiny_problem(problem.x_train.dtype)
        network = layered_network(model, (1,))
        assert network is not None
        self.compile_for(tiny, model.structure if two_layer else network)
        return on_threads(
            self._trainer(problem, structure, optimizer), problem.n_train.tolist(), threads
        )


def _structure(problem: Problem) -> TwoLayerStructure | LayeredNetwork | None:
    """The network as one of the kernels knows it: the two-layer one if it can."""
    if problem.x_train.dtype == torch.float64:
        structure = two_layer_structure(problem.model)
        if structure is not None:
            return structure
    return layered_network(problem.model, tuple(problem.x_train.shape[2:]))
