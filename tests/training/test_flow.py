"""The gradient flow ends where gradient descent with ever smaller steps ends."""


import numpy as np
import pytest
import torch
from tests.reference.flow import Flow, scipy_flow, small_steps
from torch import Tensor, nn

from llr.models import (
    NoShareTanhConv1D,
    PaperTeacherMLP,
    SharedTanhConv1D,
    TwoLayerTanhMLP,
    initialize,
)
from llr.seeds import generator
from llr.testing import EngineContract
from llr.training import GradientFlow, Problem, train_batch
from llr.training._flow import FlowEngine
from llr.training._flow_module import ModuleFlow

PLAIN = {"hidden_bias": False}
ARCHITECTURES = {
    "shared": lambda width: SharedTanhConv1D(5, width=width, kernel_size=3, **PLAIN),
    "unshared": lambda width: NoShareTanhConv1D(5, width=width, kernel_size=3, **PLAIN),
    "fully connected": lambda width: TwoLayerTanhMLP(5, width=width, **PLAIN),
}


class TestFlowEngine(EngineContract):
    """The contract of every engine."""

    optimizer = GradientFlow(tol=1e-12)

    def make(self):
        return FlowEngine()


def drawn(model: nn.Module, n: int, seed: int, *, std: float = 1e-10, n_test: int = 500) -> Problem:
    """One run: recover the papers' target from n normal samples."""
    initialize(model, std=std, generator=generator(seed, "init"))
    target = PaperTeacherMLP()

    def data(purpose: str, count: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(count, 5, dtype=torch.float64, generator=generator(seed, purpose))
        with torch.no_grad():
            return x.unsqueeze(0), target(x).unsqueeze(0)

    (x, y), (x_test, y_test) = data("train", n), data("test", n_test)
    params = {name: p.detach().unsqueeze(0) for name, p in model.named_parameters()}
    one = torch.ones(1, dtype=torch.int64)
    return Problem(model, params, x, y, n * one, x_test, y_test, one)


def one(problem: Problem, **options: float):
    (result,) = train_batch(problem, GradientFlow(**options))
    assert result.engine == "flow"
    return result


def by_module(problem: Problem, **options: float):
    """The same run without the two-layer structure."""
    return ModuleFlow(problem, 0, GradientFlow(**options)).run("flow")


def scipy_test_mse(problem: Problem, *, rtol: float = 1e-8) -> float:
    flow = Flow(problem.model, problem.x_train[0], problem.y_train[0])
    theta, _ = scipy_flow(flow, tol=1e-20, max_time=1e8, rtol=rtol)
    return float(flow.mse(theta, problem.x_test[0], problem.y_test[0]))


def problems(cases: str) -> list:
    """Twenty problems: architecture, width, n, seed; all but the first three are slow."""
    return [
        pytest.param(*case, marks=[pytest.mark.slow] if i >= 3 else [], id="-".join(map(str, case)))
        for i, case in enumerate(cases)
    ]


TWENTY = [
    ("shared", 3, 5, 0),
    ("unshared", 2, 9, 1),
    ("fully connected", 6, 12, 2),
    *[("shared", 20, n, seed) for n, seed in ((6, 0), (9, 1), (14, 2), (18, 3), (12, 4))],
    *[("unshared", 10, n, seed) for n, seed in ((10, 0), (16, 1), (20, 2), (24, 3), (18, 4))],
    *[
        ("fully connected", 20, n, seed)
        for n, seed in ((10, 0), (18, 1), (20, 2), (25, 3), (30, 4), (30, 5), (22, 6))
    ],
]


@pytest.mark.parametrize(("architecture", "width", "n", "seed"), problems(TWENTY))
def test_the_end_is_that_of_scipy_bdf(architecture, width, n, seed):
    problem = drawn(ARCHITECTURES[architecture](width), n, seed)
    result = one(problem)
    assert result.status == "converged"
    assert result.test_mse == pytest.approx(scipy_test_mse(problem), rel=0.01)


@pytest.mark.parametrize("lr", [1e-3, pytest.param(1e-4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_end_is_the_limit_of_gradient_descent(architecture, lr):
    # from a start of order one, where descent needs some thousand steps
    problem = drawn(ARCHITECTURES[architecture](4), 4, 1, std=0.7)
    flow = Flow(problem.model, problem.x_train[0], problem.y_train[0])
    theta, steps = small_steps(flow, lr=lr, tol=1e-6, max_steps=2_000_000)
    result = one(problem, tol=1e-6, rtol=1e-6)
    test_mse = float(flow.mse(theta, problem.x_test[0], problem.y_test[0]))
    assert result.test_mse == pytest.approx(test_mse, rel=30 * lr)
    assert result.time >= 0.99 * lr * steps


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("seed", range(3))
def test_halving_rtol_changes_the_test_error_by_less_than_it_promises(architecture, seed):
    problem = drawn(ARCHITECTURES[architecture](20), 16 if architecture != "shared" else 8, seed)
    for rtol in (1e-3, 1e-4):
        first, second = (one(problem, rtol=tolerance).test_mse for tolerance in (rtol, rtol / 2))
        assert abs(first / second - 1) < 100 * rtol


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("n", [10, 30])
def test_the_energy_falls_all_the_way(architecture, n):
    for weight_decay in (0.0, 1e-4):
        problem = drawn(ARCHITECTURES[architecture](20), n, 0)
        result = one(problem, weight_decay=weight_decay)
        mse = result.history.train_mse
        assert len(mse) > 15
        if weight_decay == 0.0:
            assert bool((mse[1:] <= mse[:-1] * (1 + 1e-12)).all())
        assert bool((np.diff(result.history.at) > 0).all())


CHECK_VALUES = {
    # SciPy LSODA, rtol 1e-4: median test MSE of 6 seeds, width 20, other draws
    "shared": {6: 2e-1, 9: 1e-2, 14: 9e-5, 18: 5e-6, 25: 4e-8, 40: 7e-10},
    "unshared": {20: 5e-2, 25: 2e-5, 30: 8e-7, 40: 7e-8},
    "fully connected": {20: 6e-2, 25: 2e-3, 30: 2e-3, 40: 6e-10},
}
