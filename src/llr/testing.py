"""Contracts for everything pluggable: models, engines, stores, executors.

Each contract is a class of tests. To hold your own part to it, subclass the contract in a test
file, say how to make the part, and run pytest::

    from llr.testing import ExecutorContract

    class TestMyExecutor(ExecutorContract):
        def make(self):
            return MyExecutor(workers=2)

Nothing here needs pytest itself: the methods named ``test_...`` are plain functions of ``self``.
"""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import math
import os
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from llr.executors import AbstractExecutor
from llr.models import TwoLayerTanhMLP, initialize
from llr.seeds import generator
from llr.sweep import AbstractStore, FinishedRun
from llr.training import AbstractEngine, GradientDescent, Optimizer, Problem, RunResult

__all__ = ["EngineContract", "ExecutorContract", "ModelContract", "StoreContract"]


class ModelContract(ABC):
    """What training, tangent matrices and sweeps ask of a module."""

    @abstractmethod
    def make(self) -> nn.Module:
        """A new module; parameters as you like, the same shapes each time."""

    @abstractmethod
    def inputs(self, n: int) -> Tensor:
        """``n`` inputs (n, *input_shape), in the dtype of the parameters."""

    def test_n_inputs_give_n_rows_of_outputs(self) -> None:
        output = self.make()(self.inputs(4))
        assert output.dim() == 2
        assert output.shape[0] == 4

    def test_each_row_depends_on_its_own_input_alone(self) -> None:
        model, x = self.make(), self.inputs(4)
        alone = torch.cat([model(row) for row in x.split(1)])
        torch.testing.assert_close(model(x), alone)

    def test_the_same_input_gives_the_same_output_twice(self) -> None:
        model, x = self.make(), self.inputs(4)
        assert torch.equal(model(x), model(x))

    def test_state_dict_round_trips(self) -> None:
        model, other, x = self.make(), self.make(), self.inputs(4)
        other.load_state_dict(model.state_dict())
        assert torch.equal(model(x), other(x))

    def test_every_parameter_can_be_trained(self) -> None:
        model = self.make()
        model(self.inputs(4)).square().sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, f"{name} has no influence on the output"

    def test_stacked_models_compute_what_each_computes_alone(self) -> None:
        models, x = [self.make() for _ in range(3)], self.inputs(4)
        params, buffers = stack_module_state(models)

        def call(params: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
            return functional_call(models[0], (params, buffers), (x,))

        together = vmap(call)(params, buffers)
        torch.testing.assert_close(together, torch.stack([model(x) for model in models]))


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


class StoreContract(ABC):
    """What :class:`llr.sweep.AbstractStore` promises."""

    @abstractmethod
    def make(self, folder: Path) -> AbstractStore:
        """A store over a folder: new, or what an earlier one has left there."""

    @staticmethod
    def finished(run_id: str, *, status: str = "converged", value: float = 0.1) -> FinishedRun:
        """A made-up run."""
        record = {"id": run_id, "status": status, "test_mse": value, "chunk": "c"}
        return FinishedRun(record, history={"at": [0.0, 1.0], "train_mse": [value, None]})

    def test_what_was_appended_is_there_for_the_next_store(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            store = self.make(folder)
            runs = [self.finished(run_id, value=1 / 3) for run_id in "abc"]
            store.append(runs[:2])
            store.append(runs[2:])
            for opened in (store, self.make(folder)):  # the first is still open, as after a kill
                assert list(opened.entries) == ["a", "b", "c"]
                assert list(opened.records("cab")) == [runs[i].record for i in (2, 0, 1)]
                assert opened.histories("b") == {"b": runs[1].history}
                assert not opened.damage
                opened.close()

    def test_an_empty_folder_is_an_empty_store(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            store = self.make(Path(name))
            assert dict(store.entries) == {}
            assert store.histories(["a"]) == {}

    def test_a_run_takes_the_place_of_its_error_and_the_first_one_stays(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            store = self.make(folder)
            store.append([self.finished("a", status="error")])
            assert store.entries["a"].failed
            store.append([self.finished("a", value=1.0)])
            store.append([self.finished("a", value=2.0)])
            store.close()
            for opened in (store, self.make(folder)):
                assert not opened.entries["a"].failed
                assert [record["test_mse"] for record in opened.records("a")] == [1.0]
                opened.close()

    def test_parameters_come_back_bit_for_bit(self) -> None:
        from safetensors.torch import save

        with tempfile.TemporaryDirectory() as name:
            weight = torch.randn(3, 2, dtype=torch.float64, generator=generator(0, "init"))
            run = replace(self.finished("a"), parameters=save({"weight": weight}))
            store = self.make(Path(name))
            store.append([run])
            store.close()
            assert torch.equal(self.make(Path(name)).parameters("a")["weight"], weight)


class ExecutorContract(ABC):
    """What :class:`llr.executors.AbstractExecutor` promises."""

    isolated = False
    """Whether a worker may die without taking the test with it."""

    @abstractmethod
    def make(self) -> AbstractExecutor:
        """A new executor."""

    def test_every_item_gives_its_value_once(self) -> None:
        outcomes = list(self.make().map(_square, range(20)))
        assert sorted(outcome.item for outcome in outcomes) == list(range(20))
        assert all(outcome.value == outcome.item**2 for outcome in outcomes)

    def test_no_items_give_no_outcomes(self) -> None:
        assert list(self.make().map(_square, [])) == []

    def test_an_exception_becomes_the_failure_of_its_item_and_of_no_other(self) -> None:
        outcomes = {outcome.item: outcome for outcome in self.make().map(_refuse_three, range(6))}
        assert len(outcomes) == 6
        failure = outcomes[3].failure
        assert failure is not None
        assert failure.message == "ValueError: three is not wanted"
        assert "_refuse_three" in failure.details
        assert all(outcomes[i].failure is None for i in (0, 1, 2, 4, 5))

    def test_items_are_taken_only_as_workers_become_free(self) -> None:
        executor = self.make()
        taken = 0

        def items() -> Iterator[int]:
            nonlocal taken
            for item in range(100):
                taken += 1
                yield item

        for seen, _ in enumerate(executor.map(_square, items()), start=1):
            assert taken <= seen + 2 * executor.workers
        assert taken == 100

    def test_it_can_be_left_early_and_used_again(self) -> None:
        executor = self.make()
        outcomes = executor.map(_square, range(100))
        assert next(outcomes).failure is None
        outcomes.close()
        assert [outcome.value for outcome in executor.map(_square, [7])] == [49]

    def test_an_exception_of_the_reader_comes_through(self) -> None:
        class _ReaderError(Exception):
            """Raised by the reader."""

        try:
            for _ in self.make().map(_square, range(10)):
                raise _ReaderError
        except _ReaderError:
            return
        raise AssertionError("the exception was lost")

    def test_an_item_whose_worker_dies_once_is_tried_again(self) -> None:
        if not self.isolated:
            return
        with tempfile.TemporaryDirectory() as name:
            items = [(Path(name) / f"{i}", i == 2) for i in range(5)]
            outcomes = list(self.make().map(_die_the_first_time, items))
        assert sorted(str(outcome.value) for outcome in outcomes) == list("01234")

    def test_an_item_that_kills_its_workers_becomes_a_failure_and_no_other_does(self) -> None:
        if not self.isolated:
            return
        outcomes = {outcome.item: outcome for outcome in self.make().map(_die_on_three, range(6))}
        assert len(outcomes) == 6
        failure = outcomes[3].failure
        assert failure is not None
        assert "SIGKILL" in failure.message
        assert all(outcomes[i].value == i for i in (0, 1, 2, 4, 5))


def _square(item: int) -> int:
    """The square, said aloud: what a task prints must not disturb the executor."""
    print(f"squaring {item}", flush=True)
    return item**2


def _refuse_three(item: int) -> int:
    """Raises for 3."""
    if item == 3:
        raise ValueError("three is not wanted")
    return item


def _die_on_three(item: int) -> int:
    """Kills its process for 3."""
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def _die_the_first_time(item: tuple[Path, bool]) -> str:
    """Kills its process if asked to, unless it did so before."""
    path, deadly = item
    if deadly and not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name
