"""The flow engine: the gradient flow of every run, integrated to its end."""

from __future__ import annotations

import numpy as np
import torch

from llr.models import two_layer_structure
from llr.training._abstract_engine import AbstractEngine
from llr.training._compilation import compiles, numba_is_off, tiny_problem
from llr.training._objectives import random_layers
from llr.training._optimizers import GradientFlow, Optimizer
from llr.training._problem import Problem
from llr.training._run_result import RunResult
from llr.training._threads import on_threads
from llr.training.flow._module_flow import ModuleFlow

__all__ = ["FlowEngine"]


class FlowEngine(AbstractEngine):
    """Gradient flow for any module, by adaptive linearly implicit Rosenbrock methods.

    Small steps while a network leaves a saddle, steps that grow to 1e5 and more along slow
    valleys: a few hundred of them reach the end of the flow. The two-layer tanh family is compiled
    and uses its structure, O(n^2 M) per step, one run per core; every other module uses
    ``torch.func``, with its exact Hessian where that is small and the tangent operator elsewhere.
    """

    name = "flow"

    def why_not(self, problem: Problem, optimizer: Optimizer) -> str | None:
        """Why this engine cannot train these runs, as a sentence; None if it can."""
        if not isinstance(optimizer, GradientFlow):
            return (
                "The flow engine integrates the gradient flow and does not take steps of "
                f"{type(optimizer).__name__}. Use optimizer=GradientFlow(), or engine='auto'."
            )
        dtypes = {problem.x_train.dtype, *(value.dtype for value in problem.params.values())}
        if dtypes != {torch.float64}:
            return (
                "The flow engine follows training to an MSE of 1e-20 and needs float64, got "
                f"{', '.join(sorted(str(dtype) for dtype in dtypes))}. Convert model and data."
            )
        if layers := random_layers(problem.model):
            return (
                f"Layers {', '.join(layers)} of {type(problem.model).__name__} draw numbers or "
                "change buffers in training mode, and a flow has no steps to do that in. Call "
                "model.eval()."
            )
        return None

    def compile(self) -> bool:
        """Compile the integrator, or load it from Numba's cache; see the interface."""
        if numba_is_off():
            return False
        from llr.training.flow._two_layer_flow import CompiledFlow, integrate

        problem, model = tiny_problem()
        run = CompiledFlow(problem, 0, model.structure, GradientFlow(max_time=1e-6))
        return compiles(integrate, lambda: run.run(self.name, np.zeros(1, dtype=np.bool_)))

    def run(
        self, problem: Problem, optimizer: Optimizer, *, threads: int | None = None
    ) -> list[RunResult]:
        """Integrate every run; see the interface. Compilation is not part of any run's seconds."""
        assert isinstance(optimizer, GradientFlow)
        structure = two_layer_structure(problem.model)
        trained = all(parameter.requires_grad for parameter in problem.model.parameters())
        if structure is None or not trained or numba_is_off():
            return [
                ModuleFlow(problem, index, optimizer).run(self.name)
                for index in range(problem.n_runs)
            ]
        self.compile()
        from llr.training.flow._two_layer_flow import CompiledFlow

        def integrate(index: int, stop: np.ndarray) -> RunResult | None:
            return CompiledFlow(problem, index, structure, optimizer).run(self.name, stop)

        return on_threads(integrate, problem.n_train.tolist(), threads)
