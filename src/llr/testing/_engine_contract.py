"""What an engine promises to those who train with it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace

import torch
from torch import Tensor
from torch.func import functional_call, grad

from llr.models import TwoLayerTanhMLP, initialize
from llr.seeds import generator
from llr.training import AbstractEngine, GradientDescent, Optimizer, Problem, RunResult

__all__ = ["EngineContract"]


class EngineContract(ABC):
    """What :class:`llr.training.AbstractEngine` promises."""

    optimizer: Optimizer = GradientDescent(lr=0.1, max_steps=200, tol=1e-4)
    rtol: float = 1e-9
    """Relative difference that rounding may cause between a run in a batch and alone."""

    @abstractmethod
    def make(self) -> AbstractEngine:
        """A new engine."""

    def problem(self) -> Problem:
        """Runs of a two-layer tanh network on a sine, sample sizes that differ."""
        models = [
            initialize(TwoLayerTanhMLP(2, width=3), std=0.5, generator=generator(seed, "init"))
            for seed in range(4)
        ]
        x = torch.randn(4, 9, 2, dtype=torch.float64, generator=generator(0, "train"))
        params = {
            name: torch.stack([dict(model.named_parameters())[name] for model in models]).detach()
            for name, _ in models[0].named_parameters()
        }
        y = x[..., :1].sin()
        n_train = torch.tensor([3, 6, 7, 2])
        return Problem(models[0], params, x[:, :7], y[:, :7], n_train, x, y, torch.arange(4))

    def results(self, problem: Problem) -> list[RunResult]:
        """The problem trained."""
        engine = self.make()
        assert engine.why_not(problem, self.optimizer) is None
        return engine.run(problem, self.optimizer, threads=1)

    def test_every_run_ends_with_a_status_and_its_numbers(self) -> None:
        problem = self.problem()
        results = self.results(problem)
        assert len(results) == problem.n_runs
        for result in results:
            assert result.message
            assert result.engine == self.make().name
            assert result.status != "converged" or result.train_mse <= self.optimizer.tol
            assert list(result.params) == list(problem.params)

    def test_reported_errors_are_those_of_the_reported_parameters(self) -> None:
        problem = self.problem()
        for r, result in enumerate(self.results(problem)):
            n = int(problem.n_train[r])
            for x, y, error in (
                (problem.x_train[r, :n], problem.y_train[r, :n], result.train_mse),
                (problem.x_test[r], problem.y_test[r], result.test_mse),
            ):
                output = functional_call(problem.model, result.params, (x,))
                wanted = (output - y).square().mean().item()
                assert math.isclose(wanted, error, rel_tol=max(1e-6, self.rtol))

    def test_gradient_descent_takes_the_steps_of_its_definition(self) -> None:
        problem, engine = self.problem(), self.make()
        descent = GradientDescent(lr=0.1, max_steps=50, tol=0.0, weight_decay=0.01)
        if engine.why_not(problem, descent) is not None:
            return
        for r, result in enumerate(engine.run(problem, descent, threads=1)):
            n = int(problem.n_train[r])
            x, y = problem.x_train[r, :n], problem.y_train[r, :n]

            def loss(theta: dict[str, Tensor], x: Tensor = x, y: Tensor = y) -> Tensor:
                return (functional_call(problem.model, theta, (x,)) - y).square().mean()

            theta = {name: value[r] for name, value in problem.params.items()}
            for _ in range(descent.max_steps):
                gradient = grad(loss)(theta)
                theta = {
                    name: value - descent.lr * (gradient[name] + descent.weight_decay * value)
                    for name, value in theta.items()
                }
            for name, value in theta.items():
                torch.testing.assert_close(result.params[name], value, rtol=self.rtol, atol=1e-12)

    def test_a_run_in_a_batch_ends_as_it_does_alone(self) -> None:
        problem = self.problem()
        for r, together in enumerate(self.results(problem)):
            (alone,) = self.results(problem.select([r]))
            assert (together.status, together.steps) == (alone.status, alone.steps)
            assert math.isclose(together.train_mse, alone.train_mse, rel_tol=self.rtol)
            assert math.isclose(together.test_mse, alone.test_mse, rel_tol=self.rtol)

    def test_padding_does_not_matter(self) -> None:
        problem = self.problem()
        x = problem.x_train.clone()
        for r, n in enumerate(problem.n_train.tolist()):
            x[r, n:] = 1e3
        for padded, plain in zip(
            self.results(replace(problem, x_train=x)), self.results(problem), strict=True
        ):
            assert padded.train_mse == plain.train_mse

    def test_the_same_runs_give_the_same_bits(self) -> None:
        first, second = (self.results(self.problem()) for _ in range(2))
        assert [(r.steps, r.train_mse) for r in first] == [(r.steps, r.train_mse) for r in second]

    def test_the_history_begins_at_zero_and_ends_with_the_result(self) -> None:
        for result in self.results(self.problem()):
            assert result.history.at[0] == 0
            assert bool((result.history.at[1:] > result.history.at[:-1]).all())
            assert result.history.train_mse[-1] == result.train_mse
            assert result.history.test_mse[-1] == result.test_mse

    def test_data_that_are_not_finite_end_one_run_and_no_other(self) -> None:
        problem = self.problem()
        y = problem.y_train.clone()
        y[1, 0] = math.nan
        results = self.results(replace(problem, y_train=y))
        assert results[1].status in ("diverged", "failed")
        for r in (0, 2, 3):
            assert math.isfinite(results[r].train_mse)

    def test_the_model_and_the_given_tensors_stay_as_they_were(self) -> None:
        problem = self.problem()
        tensors = [*problem.params.values(), *problem.model.parameters(), problem.x_train]
        before = [tensor.detach().clone() for tensor in tensors]
        self.results(problem)
        assert all(torch.equal(old, new) for old, new in zip(before, tensors, strict=True))
        assert all(p.requires_grad and p.grad is None for p in problem.model.parameters())
