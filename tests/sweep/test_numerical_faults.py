"""Trouble with numbers is a status and a sentence, never a crash and never a wrong number."""

import math
from dataclasses import replace

import pytest
import torch
from torch.func import functional_call

from llr.config import parse_config
from llr.sweep import build_problem, read_results, run_sweep, single_run
from llr.training import Adam, GradientDescent, GradientFlow, train_batch

TRAINERS = {
    "compiled": ("compiled", GradientDescent(lr=0.1, max_steps=300)),
    "compiled adam": ("compiled", Adam(lr=0.01, max_steps=300)),
    "torch": ("torch", GradientDescent(lr=0.1, max_steps=300)),
    "torch adam": ("torch", Adam(lr=0.01, max_steps=300)),
    "flow": ("flow", GradientFlow(max_steps=300, max_time=1e3)),
}
STATUSES = {"converged", "max_steps", "diverged", "stalled", "max_time", "failed"}

every_trainer = pytest.mark.parametrize("trainer", TRAINERS)


def problem(**overrides):
    """Two copies of one small run; its second one stays healthy where the first is disturbed."""
    base = {
        "data": {"train_size": 6, "test_size": 20},
        "model": {"width": 3},
        "init": {"std": 0.5},
    }
    config = parse_config(base, {k.replace("__", "."): v for k, v in overrides.items()})
    return build_problem([single_run(config)] * 2)


def mse_of(problem, result, r):
    n = int(problem.n_train[r])
    output = functional_call(problem.model, result.params, (problem.x_train[r, :n],))
    return (output - problem.y_train[r, :n]).square().mean().item()


def trained(problem, trainer, **changes):
    """Results whose errors are those of the parameters they stand beside."""
    engine, optimizer = TRAINERS[trainer]
    optimizer = replace(optimizer, **changes)
    results = train_batch(problem, optimizer, engine=engine, threads=1)
    for r, result in enumerate(results):
        assert result.status in STATUSES
        assert len(result.message.split()) >= 3
        if result.status not in ("diverged", "failed"):
            assert math.isclose(
                result.train_mse, mse_of(problem, result, r), rel_tol=1e-6, abs_tol=1e-24
            )
        assert (result.status == "converged") == (result.train_mse <= optimizer.tol)
    return results


@pytest.mark.parametrize("trainer", ["compiled", "torch"])
def test_a_learning_rate_far_too_large_diverges(trainer):
    for result in trained(problem(), trainer, lr=1e9):
        assert result.status == "diverged"


@pytest.mark.parametrize("trainer", ["compiled adam", "torch adam"])
def test_adam_with_a_learning_rate_far_too_large_ends_with_a_status(trainer):
    for result in trained(problem(), trainer, lr=1e9):
        assert result.status in ("diverged", "max_steps")


@every_trainer
@pytest.mark.parametrize("value", [math.nan, math.inf, 1e200])
@pytest.mark.parametrize("part", ["x_train", "y_train"])
def test_data_that_are_not_finite_or_huge_cost_their_own_run_only(trainer, value, part):
    healthy = problem()
    data = getattr(healthy, part).clone()
    data[0, 2] = value
    bad, good = trained(replace(healthy, **{part: data}), trainer)
    assert not (bad.status == "converged" and not math.isfinite(value))
    if math.isnan(value) or part == "y_train":
        assert bad.status in ("diverged", "failed")
    assert good.train_mse == trained(healthy, trainer)[1].train_mse


@every_trainer
@pytest.mark.parametrize("value", [0.0, 1.0, -3.0])
def test_constant_targets_are_trained_like_any_other(trainer, value):
    healthy = problem()
    constant = replace(healthy, y_train=torch.full_like(healthy.y_train, value))
    for result in trained(constant, trainer):
        assert result.status not in ("diverged", "failed")
        assert result.train_mse < max(1e-3, (value**2) / 2)


@every_trainer
@pytest.mark.parametrize(
    "sizes",
    [
        {"data__train_size": 1},
        {"data__train_size": 200},
        {"model__width": 1},
        {"data__input_dim": 1, "data__target": "three_bumps"},
        {"data__input_dim": 1, "data__target": "three_bumps", "model__width": 1}
        | {"data__train_size": 1},
    ],
    ids=lambda sizes: " ".join(f"{key.split('__')[1]}={value}" for key, value in sizes.items()),
)
def test_the_smallest_and_the_overdetermined_sizes_are_trained(trainer, sizes):
    given = problem(**sizes)
    for r, result in enumerate(trained(given, trainer)):
        assert result.status not in ("diverged", "failed")
        at_start = {name: value[r] for name, value in given.params.items()}
        assert result.train_mse < mse_of(given, replace(result, params=at_start), r)


@every_trainer
def test_duplicate_samples_count_as_often_as_they_stand_there(trainer):
    once = problem()
    twice = replace(
        once,
        x_train=once.x_train.repeat(1, 2, 1),
        y_train=once.y_train.repeat(1, 2, 1),
        n_train=2 * once.n_train,
    )
    for single, double in zip(trained(once, trainer), trained(twice, trainer), strict=True):
        assert math.isclose(single.train_mse, double.train_mse, rel_tol=1e-3, abs_tol=1e-9)


@every_trainer
def test_duplicates_that_contradict_each_other_are_fitted_by_their_mean(trainer):
    given = problem(data__train_size=2)
    x = given.x_train[:, :1].expand(-1, 2, -1).clone()
    y = torch.tensor([0.0, 2.0], dtype=torch.float64).reshape(1, 2, 1).repeat(2, 1, 1)
    for result in trained(replace(given, x_train=x, y_train=y), trainer):
        assert result.status not in ("converged", "diverged", "failed")
        assert result.train_mse >= 1.0 - 1e-9  # the variance of the values is the least there is


def test_a_sweep_of_runs_in_trouble_ends_with_a_row_each(small):
    result = run_sweep(
        small(
            training__lr=1e12,
            init__std=10.0,
            sweep__sample_sizes=[1, 3],
            sweep__seeds=1,
            data__input_dim=3,
            data__target="affine",
            data__target_coefficients=[5.0, 0.0, 0.0, 0.0],
        )
    )
    runs = read_results(result.folder)["runs"]
    assert len(runs) == 6
    assert {run["status"] for run in runs} == {"diverged"}
    assert all(run["message"] for run in runs)
