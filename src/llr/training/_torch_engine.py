"""The torch engine: all runs of a batch in one tensor dimension, on any device."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from llr._types import Parameters
from llr.models import layered_network
from llr.training._abstract_engine import AbstractEngine
from llr.training._descent_result import descent_result
from llr.training._objectives import ModuleObjective, objective_of, random_layers
from llr.training._optimizers import Adam, Descent, GradientDescent, GradientFlow, Optimizer
from llr.training._problem import Problem
from llr.training._run_result import RunResult, log_spaced

__all__ = ["TorchEngine"]

_POLL_STEPS = 16
"""Steps between two checks for runs that have ended."""

_COMPACT_SHARE = 0.75
"""The batch is cut to the runs still going when they are at most this share of it."""


_WORTH_THREADS = 1 << 18
"""Values of a layer, over all runs and samples, below which threads wait more than they work."""


class _Descent:
    """The runs still alive: their parameters and moments, and one step of descent on all of them.

    Everything that a step reads or writes is a tensor that stays where it is, so that the step can
    be captured as a CUDA graph. A run that has ended is frozen.
    """

    def __init__(self, problem: Problem, optimizer: Descent, *, t: int = 0) -> None:
        self.problem, self.optimizer = problem, optimizer
        self.objective = objective_of(problem, optimizer.dropout)
        self.params = {name: value.detach().clone() for name, value in problem.params.items()}
        velocity = isinstance(optimizer, GradientDescent) and optimizer.momentum > 0
        n_moments = 2 if isinstance(optimizer, Adam) else int(velocity)
        self.moments = tuple(
            {name: torch.zeros_like(value) for name, value in self.params.items()}
            for _ in range(n_moments)
        )
        y = problem.y_train
        self.t = torch.tensor(t, device=y.device)
        self.alive = torch.ones(problem.n_runs, dtype=torch.bool, device=y.device)
        self.steps = torch.full((problem.n_runs,), t, dtype=torch.int64, device=y.device)
        self.train_mse = torch.full((problem.n_runs,), torch.nan, dtype=y.dtype, device=y.device)
        self._graph: torch.cuda.CUDAGraph | None = None

    def select(self, runs: Tensor) -> _Descent:
        """The state of some of the runs, none of which has ended."""
        other = _Descent(self.problem.select(runs.tolist()), self.optimizer, t=int(self.t))
        other.params = {name: value[runs] for name, value in self.params.items()}
        other.moments = tuple({k: v[runs] for k, v in moment.items()} for moment in self.moments)
        other.train_mse = self.train_mse[runs]
        return other

    def test_mse(self) -> Tensor:
        """Test MSE (R,) of the current parameters."""
        return self.objective.test_mse(self.params)

    def tick(self) -> None:
        """Measure the training MSE, end the runs that have ended, take a step with the others."""
        mse, gradient = self.objective.value_and_gradient(self.params, self.t)
        self.train_mse.copy_(torch.where(self.alive, mse, self.train_mse))
        going = mse.isfinite() & (mse > self.optimizer.tol)
        going &= (mse <= self.optimizer.divergence_bound) & (self.t < self.optimizer.max_steps)
        self.alive &= going
        self.t += 1
        for name, slope in gradient.items():
            step = self._step(name, slope)
            alive = self.alive.reshape(-1, *[1] * (step.dim() - 1))
            self.params[name].sub_(torch.where(alive, step, 0))
        self.steps += self.alive

    def _step(self, name: str, gradient: Tensor) -> Tensor:
        """What one parameter moves by, as in ``torch.optim``."""
        optimizer = self.optimizer
        if optimizer.weight_decay > 0:
            gradient = gradient + optimizer.weight_decay * self.params[name]
        if not isinstance(optimizer, Adam):
            if optimizer.momentum > 0:
                (velocity,) = self.moments
                gradient = velocity[name].mul_(optimizer.momentum).add_(gradient)
            return optimizer.lr * gradient
        first, second = (moment[name] for moment in self.moments)
        first.lerp_(gradient, 1 - optimizer.beta1)
        second.mul_(optimizer.beta2).addcmul_(gradient, gradient, value=1 - optimizer.beta2)
        t = self.t.to(torch.float64)
        rate = (optimizer.lr / (1 - optimizer.beta1**t)).to(first.dtype)
        root = (1 - optimizer.beta2**t).sqrt().to(first.dtype)
        return rate * first / (second.sqrt() / root + optimizer.eps)

    def advance(self) -> None:
        """One tick, replayed from a captured CUDA graph where that is possible."""
        if not (self.t.is_cuda and not isinstance(self.objective, ModuleObjective)):
            self.tick()
        elif self._graph is not None:
            self._graph.replay()
        else:
            self._graph = self._capture()

    def _capture(self) -> torch.cuda.CUDAGraph:
        """Take one tick on a separate stream, which initialises libraries; record the next one."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self.tick()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.tick()
        return graph


class TorchEngine(AbstractEngine):
    """Gradient descent and Adam for any module, all runs of a batch in one tensor dimension.

    Chains of layers, :func:`llr.models.layered_network`, train by explicit formulas with one matrix
    product per layer, every other module by ``torch.func``. Works on the device of the problem's
    tensors; on the CPU small batches use one thread, unless a number of threads is given.
    """

    name = "torch"

    def why_not(self, problem: Problem, optimizer: Optimizer) -> str | None:
        """Why this engine cannot train these runs, as a sentence; None if it can."""
        if isinstance(optimizer, GradientFlow):
            return "The torch engine trains by gradient descent and Adam, not by gradient flow."
        model = problem.model
        if (
            optimizer.dropout > 0
            and layered_network(model, tuple(problem.x_train.shape[2:])) is None
        ):
            return (
                "Dropout is defined on the hidden units of chains of linear and convolutional "
                f"layers, pooling and known activations, and {type(model).__name__} is not one. "
                "Set dropout to 0."
            )
        if layers := random_layers(model):
            return (
                f"Layers {', '.join(layers)} of {type(model).__name__} draw numbers or change "
                "buffers in training mode, which stacked runs cannot share. Call model.eval()."
            )
        return None

    def run(
        self, problem: Problem, optimizer: Optimizer, *, threads: int | None = None
    ) -> list[RunResult]:
        """Train every run; see the interface."""
        assert not isinstance(optimizer, GradientFlow)
        if threads is None and _values_per_layer(problem) < _WORTH_THREADS:
            threads = 1
        with _torch_threads(threads), torch.no_grad():
            return _train(problem, optimizer, self.name)


def _train(problem: Problem, optimizer: Descent, engine: str) -> list[RunResult]:
    """Train all runs to their ends, cutting the batch to those still going along the way."""
    start = time.perf_counter()
    grid = log_spaced(optimizer.max_steps)
    recorded = np.full((2, problem.n_runs, len(grid)), np.nan)
    ends: dict[int, tuple[int, tuple[float, float], Parameters]] = {}
    batch, index = _Descent(problem, optimizer), np.arange(problem.n_runs)
    snapshots: list[dict[int, Parameters]] = [{} for _ in index]

    def retire(rows: list[int]) -> None:
        """Record how the runs in these rows of the batch ended."""
        test_mse = batch.test_mse()
        for row in rows:
            losses = (batch.train_mse[row].item(), test_mse[row].item())
            params = {name: value[row].cpu().clone() for name, value in batch.params.items()}
            ends[int(index[row])] = (int(batch.steps[row]), losses, params)

    for t in range(optimizer.max_steps + 1):
        k = int(np.searchsorted(grid, t))
        if grid[k] == t:
            recorded[1, index, k] = batch.test_mse().to("cpu", torch.float64)
        if t in problem.keep_at:
            for row in np.flatnonzero(batch.alive.cpu().numpy()):
                kept = {name: value[row].cpu().clone() for name, value in batch.params.items()}
                snapshots[index[row]][t] = kept
        batch.advance()
        if grid[k] == t:
            recorded[0, index, k] = batch.train_mse.to("cpu", torch.float64)
        if t % _POLL_STEPS and t < optimizer.max_steps:
            continue
        alive = batch.alive.cpu().numpy()
        if alive.any() and alive.sum() > _COMPACT_SHARE * len(alive):
            continue
        retire(np.flatnonzero(~alive).tolist())
        if not alive.any():
            break
        rows = np.flatnonzero(alive)
        batch, index = batch.select(torch.as_tensor(rows, device=batch.t.device)), index[rows]

    seconds = time.perf_counter() - start
    ticks = sum(steps + 1 for steps, _, _ in ends.values())
    return [
        descent_result(
            optimizer,
            steps=steps,
            recorded=(recorded[0, run], recorded[1, run]),
            final=losses,
            seconds=seconds * (steps + 1) / ticks,
            params=params,
            engine=engine,
            snapshots=snapshots[run],
        )
        for run, (steps, losses, params) in sorted(ends.items())
    ]


def _values_per_layer(problem: Problem) -> int:
    """Runs times samples times the widest that a layer can be, by its inputs and its weights."""
    features = [problem.x_train[0, 0].numel()]
    features += [value.shape[1] for value in problem.params.values() if value.dim() > 1]
    return problem.n_runs * problem.x_train.shape[1] * max(features)


@contextmanager
def _torch_threads(threads: int | None) -> Iterator[None]:
    """Let torch use at most this many CPU threads inside."""
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
