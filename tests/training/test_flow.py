"""The gradient flow ends where gradient descent with ever smaller steps ends."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.reference.flow import Flow, scipy_flow
from tests.training.runs import draw_problem
from torch import Tensor, nn

from llr.errors import InvalidInputError
from llr.models import (
    MLP,
    NoShareTanhConv1D,
    PaperTeacherMLP,
    SharedTanhConv1D,
    TwoLayerTanhMLP,
    initialize,
)
from llr.seeds import generator
from llr.testing import EngineContract
from llr.training import GradientDescent, GradientFlow, Problem, train_batch
from llr.training.flow import FlowEngine, _module_flow
from llr.training.flow._module_flow import ModuleFlow

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


@pytest.mark.parametrize(
    ("architecture", "width", "n", "seed"),
    [*TWENTY[:3], *(pytest.param(*case, marks=pytest.mark.slow) for case in TWENTY[3:])],
)
def test_the_end_is_that_of_scipy_bdf(architecture, width, n, seed):
    problem = drawn(ARCHITECTURES[architecture](width), n, seed)
    wanted = scipy_test_mse(problem)
    for rtol, off in ((1e-4, 0.03), (1e-5, 0.01)):  # by default all but one are within 1%, too
        result = one(problem, rtol=rtol)
        assert result.status in ("converged", "max_time")
        assert result.test_mse == pytest.approx(wanted, rel=off)


@pytest.mark.parametrize("lr", [1e-3, 1e-4])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_end_is_the_limit_of_gradient_descent(architecture, lr):
    # from a start of order one, where descent needs some 10^5 steps
    problem = drawn(ARCHITECTURES[architecture](4), 4, 1, std=0.7)
    (descent,) = train_batch(problem, GradientDescent(lr=lr, tol=1e-6, max_steps=5_000_000))
    assert descent.status == "converged"
    result = one(problem, tol=1e-6, rtol=1e-6)
    assert result.test_mse == pytest.approx(descent.test_mse, rel=10 * lr)
    assert result.time >= 0.99 * lr * descent.steps


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
        if weight_decay == 0.0:  # the training MSE is the energy
            assert bool((mse[1:] <= mse[:-1] * (1 + 1e-12)).all())
        assert bool((np.diff(result.history.at) > 0).all())


CHECK_VALUES = {
    # SciPy LSODA, rtol 1e-4: median test MSE of 6 seeds, width 20, other draws
    "shared": {6: 2e-1, 9: 1e-2, 14: 9e-5, 18: 5e-6, 25: 4e-8, 40: 7e-10},
    "unshared": {20: 5e-2, 25: 2e-5, 30: 8e-7, 40: 7e-8},
    "fully connected": {20: 6e-2, 25: 2e-3, 30: 2e-3, 40: 6e-10},
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_test_errors_have_the_size_that_lsoda_finds(architecture):
    # A median of six runs that recover or not varies by decades: 30 of ours must enclose it. If a
    # run falls below a value with probability 1/2, so do 3 to 27 of 30 but for 8e-6.
    for n, value in CHECK_VALUES[architecture].items():
        runs = [drawn(ARCHITECTURES[architecture](20), n, seed) for seed in range(30)]
        results = train_batch(Problem.stack(runs), GradientFlow())
        assert {result.status for result in results} <= {"converged", "max_time"}
        errors = sorted(result.test_mse for result in results)
        assert errors[3] / 3 <= value <= errors[-4] * 3, n


def too_small() -> Problem:
    """One neuron for three."""
    return drawn(TwoLayerTanhMLP(5, width=1, **PLAIN), 40, 0, std=0.3)


def stationarity(problem: Problem, params: dict, weight_decay: float = 0.0) -> float:
    """Size of the gradient relative to that at the start."""
    flow = Flow(problem.model, problem.x_train[0], problem.y_train[0], weight_decay)
    start, end = (
        torch.cat([p.reshape(-1) for p in values])
        for values in ([p[0] for p in problem.params.values()], params.values())
    )
    return float(flow.field(end).norm() / flow.field(start).norm())


@pytest.mark.parametrize("integrate", [one, by_module], ids=["compiled", "module"])
class TestEnds:
    """Every way in which a flow can end, with the sentence that says so."""

    def test_converged(self, integrate):
        result = integrate(drawn(TwoLayerTanhMLP(5, width=4), 3, 0), tol=1e-12)
        assert (result.status, result.train_mse <= 1e-12) == ("converged", True)
        assert "at or below tol = 1e-12" in result.message

    def test_stalled_at_a_local_minimum(self, integrate):
        problem = too_small()
        result = integrate(problem)
        assert result.status == "stalled"
        assert result.train_mse > 0.01
        assert "had not fallen" in result.message
        assert stationarity(problem, result.params) < 1e-6

    def test_max_time(self, integrate):
        result = integrate(drawn(TwoLayerTanhMLP(5, width=4), 8, 0), max_time=30.0)
        assert (result.status, result.time) == ("max_time", 30.0)
        assert "still above tol" in result.message

    def test_failed_for_want_of_steps(self, integrate):
        result = integrate(drawn(TwoLayerTanhMLP(5, width=4), 8, 0), max_steps=7)
        assert (result.status, result.steps) == ("failed", 7)
        assert "Allow more steps" in result.message

    def test_failed_on_data_that_are_not_finite(self, integrate):
        problem = drawn(TwoLayerTanhMLP(5, width=4), 8, 0)
        problem.y_train[0, 3] = float("nan")
        result = integrate(problem)
        assert result.status == "failed"
        assert "not finite" in result.message

    def test_a_start_at_the_saddle_stays_there(self, integrate):
        result = integrate(drawn(TwoLayerTanhMLP(5, width=4, **PLAIN), 8, 0, std=0.0))
        assert result.status in ("stalled", "max_time")
        assert all(not value.any() for value in result.params.values())

    def test_losses_are_recorded_on_log_spaced_times(self, integrate):
        result = integrate(drawn(TwoLayerTanhMLP(5, width=4), 6, 0))
        at = result.history.at
        assert (at[0], at[-1]) == (0.0, result.time)
        assert result.history.train_mse[-1] == result.train_mse
        assert result.history.test_mse[-1] == result.test_mse
        later = np.floor(5 * np.log10(at[1:-1]) + 1e-9)  # five a decade, none twice
        assert len(set(later)) == len(later) > 10


def test_the_same_run_ends_on_the_same_bits_whatever_is_beside_it():
    runs = [drawn(ARCHITECTURES["unshared"](5), n, n) for n in (4, 7, 11)]
    batch = train_batch(Problem.stack(runs), GradientFlow(), threads=2)
    for alone, result in zip(runs, batch, strict=True):
        again = one(alone)
        assert (again.steps, again.test_mse) == (result.steps, result.test_mse)
        assert all(torch.equal(again.params[k], v) for k, v in result.params.items())


def test_what_has_no_meaning_is_refused_with_a_sentence():
    engine, problem = FlowEngine(), drawn(TwoLayerTanhMLP(5, width=2), 3, 0)
    assert "does not take steps" in str(engine.why_not(problem, GradientDescent()))
    with pytest.raises(InvalidInputError, match=r"(?i)gradient ?flow"):
        train_batch(problem, GradientFlow(), engine="compiled")
    with pytest.raises(InvalidInputError, match=r"(?i)gradient ?flow"):
        train_batch(problem, GradientFlow(), engine="torch")
    for meaningless in ("lr", "dropout"):
        with pytest.raises(TypeError, match=meaningless):
            GradientFlow(**{meaningless: 0.1})
    halves = {name: value.float() for name, value in problem.params.items()}
    with pytest.raises(InvalidInputError, match="float64"):
        train_batch(replace(problem, params=halves), GradientFlow())
    model = nn.Sequential(nn.Linear(5, 1, dtype=torch.float64), nn.Dropout(0.1))
    params = {name: p.detach().unsqueeze(0) for name, p in model.named_parameters()}
    with pytest.raises(InvalidInputError, match="no steps to do that in"):
        train_batch(replace(problem, model=model, params=params), GradientFlow())


@pytest.mark.parametrize("dense", [True, False], ids=["exact hessian", "gauss-newton"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_any_module_follows_the_flow_of_the_two_layer_structure(architecture, dense, monkeypatch):
    if not dense:
        monkeypatch.setattr(_module_flow, "DENSE_PARAMETERS", 0)
    problem = drawn(ARCHITECTURES[architecture](4), 5, 1)
    fast, slow = one(problem, tol=1e-10), by_module(problem, tol=1e-10)
    assert slow.status == fast.status == "converged"
    assert slow.test_mse == pytest.approx(fast.test_mse, rel=0.01)
    if not dense:  # the order of the W-method is kept: a smaller tolerance brings it nearer
        fine = by_module(problem, tol=1e-10, rtol=1e-5)
        assert fine.test_mse == pytest.approx(fast.test_mse, rel=2e-3)


@pytest.mark.parametrize(
    "name", ["deep mlp", "matrix factorization", "toy", "shared 2-d", "unshared 2-d"]
)
def test_any_module_ends_where_scipy_bdf_ends(name):
    problem = draw_problem(name)
    for index, weight_decay in enumerate((0.0, 1e-2)):
        alone = problem.select([index])
        result = one(alone, rtol=1e-5, max_time=100.0, weight_decay=weight_decay)
        flow = Flow(alone.model, alone.x_train[0], alone.y_train[0], weight_decay)
        theta = torch.cat([value[0].reshape(-1) for value in alone.params.values()])
        end, _ = scipy_flow(flow, start=theta, tol=1e-20, max_time=100.0, rtol=1e-7)
        got = torch.cat([value.reshape(-1) for value in result.params.values()])
        assert (got - end).norm() <= 1e-3 * end.norm()


def test_a_deep_network_of_many_parameters_ends_where_scipy_ends():
    draw = generator(0, "init")
    model = MLP(5, widths=[24, 14], generator=draw)
    problem = drawn(model, 6, 0, std=0.4)
    assert ModuleFlow(problem, 0, GradientFlow()).exact is False
    result = one(problem, tol=1e-8)
    flow = Flow(model, problem.x_train[0], problem.y_train[0])
    theta, _ = scipy_flow(flow, tol=1e-8, max_time=1e8, rtol=1e-6)
    wanted = float(flow.mse(theta, problem.x_test[0], problem.y_test[0]))
    assert result.test_mse == pytest.approx(wanted, rel=0.01)


def test_weight_decay_ends_at_a_minimum_of_loss_and_decay():
    problem = drawn(ARCHITECTURES["fully connected"](5), 12, 0, std=0.5)
    result = one(problem, weight_decay=1e-2)
    assert result.status == "stalled"
    assert stationarity(problem, result.params, weight_decay=1e-2) < 1e-6
    assert stationarity(problem, result.params) > 1e-3
