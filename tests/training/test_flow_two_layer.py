"""The compiled two-layer flow: field, curvature and linear systems are those of autograd."""

import numpy as np
import pytest
import torch
from tests.reference.flow import Flow
from tests.training.runs import TWO_LAYER, draw_problem

from llr.models import TwoLayerTanhMLP, initialize, two_layer_structure
from llr.seeds import generator
from llr.training import GradientFlow, Problem
from llr.training.flow._block_curvature import (
    Curvature,
    curvature,
    evaluate,
    predict_mse,
    vector_field,
)
from llr.training.flow._block_system import factorize, new_system, solve
from llr.training.flow._two_layer_flow import CompiledFlow

ROUNDING = 1e-11  # relative; the systems below have condition numbers up to about 1e4


class Point:
    """One run of a problem with its curvature, in blocks, and the same by autograd."""

    def __init__(self, problem: Problem, index: int, weight_decay: float = 0.0) -> None:
        structure = two_layer_structure(problem.model)
        self.run = run = CompiledFlow(problem, index, structure, GradientFlow())
        self.n, self.m = run.samples.n, run.theta.size
        width = run.samples.y.size
        kernels = structure.channels * structure.kernels_per_channel
        sizes = run.sizes
        self.curve = Curvature(
            a=np.zeros((kernels, sizes.weights, sizes.weights)),
            v=np.zeros((kernels, sizes.weights, sizes.positions)),
            jt=np.zeros((self.m, width)),
        )
        self.curve.jt[-1, : self.n] = 1.0  # overwritten unless there is an output bias
        self.r, work, self.field = np.zeros(width), np.zeros(width), np.zeros(self.m)
        evaluate(run.theta, sizes, run.samples, self.curve.jt, self.r)
        vector_field(
            run.theta, sizes, run.samples, weight_decay, self.curve.jt, self.r, work, self.field
        )
        curvature(run.theta, sizes, run.samples, self.r, work, self.curve)

        x, y = problem.x_train[index, : self.n], problem.y_train[index, : self.n]
        flow = Flow(problem.model, x, y, weight_decay)
        theta = torch.cat([value[index].reshape(-1) for value in problem.params.values()])
        self.mse, self.gradient = float(flow.mse(theta)), -flow.field(theta)
        hessian = flow.hessian(theta)
        # the blocks as a permutation of the parameters, from a run whose parameters are 0, 1, ...
        numbers = flow.params(torch.arange(self.m, dtype=torch.float64))
        counted = {name: value.unsqueeze(0) for name, value in numbers.items()}
        one = problem.select([index])
        order = CompiledFlow(
            Problem(
                **{k: getattr(one, k) for k in ("model", "x_train", "y_train", "n_train")},
                **{k: getattr(one, k) for k in ("x_test", "y_test", "seeds")},
                params=counted,
            ),
            0,
            structure,
            GradientFlow(),
        ).theta.astype(int)
        self.gradient = self.gradient[order].numpy()
        self.hessian = hessian[order][:, order].numpy()

    def solution(self, c: float, b: np.ndarray) -> np.ndarray | None:
        """(c I + Hessian)^{-1} b, or None where that is refused."""
        system = new_system(self.run.sizes, self.n, self.m)
        if not factorize(c, self.run.sizes, self.n, self.curve, system):
            return None
        u = b.copy()
        solve(self.run.sizes, self.n, system, u)
        return u


@pytest.mark.parametrize("model", TWO_LAYER)
def test_the_field_is_minus_the_gradient(model):
    problem = draw_problem(model)
    for index in range(problem.n_runs):
        point = Point(problem, index, weight_decay=0.3)
        np.testing.assert_allclose(np.mean(point.r[: point.n] ** 2), point.mse, rtol=1e-13)
        np.testing.assert_allclose(-point.field, point.gradient, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("samples", [(5, 8), (60, 200)], ids=["woodbury", "dense"])
@pytest.mark.parametrize("model", TWO_LAYER)
def test_linear_systems_are_those_of_the_exact_hessian(model, samples):
    problem = draw_problem(model, samples=samples)
    for index in range(problem.n_runs):
        point = Point(problem, index)
        assert point.m > 8
        lowest = np.linalg.eigvalsh(point.hessian)[0]
        for c in (0.1 - lowest, 10.0 - lowest):
            b = np.random.default_rng(0).standard_normal(point.m)
            wanted = np.linalg.solve(point.hessian + c * np.eye(point.m), b)
            got = point.solution(c, b)
            assert got is not None
            assert np.linalg.norm(got - wanted) <= ROUNDING * np.linalg.norm(wanted)


@pytest.mark.parametrize("model", TWO_LAYER)
def test_an_indefinite_matrix_is_refused(model):
    point = Point(draw_problem(model), 0)
    lowest = np.linalg.eigvalsh(point.hessian)[0]
    assert lowest < 0
    assert point.solution(-0.99 * lowest, np.ones(point.m)) is None
    assert point.solution(-1.01 * lowest, np.ones(point.m)) is not None


def test_an_indefinite_block_in_a_definite_matrix_is_no_obstacle():
    # at a minimum that does not fit, residuals bend single kernels down, the tangent part up
    model = TwoLayerTanhMLP(3, width=6)
    params, draw = {}, generator(3, "init")
    initialize(model, std=1.0, generator=draw)
    for name, value in model.named_parameters():
        params[name] = value.detach().unsqueeze(0)
    x = torch.randn(1, 24, 3, dtype=torch.float64, generator=draw)
    y = torch.randn(1, 24, 1, dtype=torch.float64, generator=draw)
    one = torch.ones(1, dtype=torch.int64)
    problem = Problem(model, params, x, y, 24 * one, x, y, one)
    from llr.training import train_batch

    (result,) = train_batch(problem, GradientFlow(max_time=30.0))
    ended = {name: value.unsqueeze(0) for name, value in result.params.items()}
    point = Point(Problem(model, ended, x, y, 24 * one, x, y, one), 0)
    blocks = 0
    lowest = np.linalg.eigvalsh(point.hessian)[0]
    for b in range(6):
        a, v = point.curve.a[b], point.curve.v[b]
        full = np.block([[np.tril(a) + np.tril(a, -1).T, v], [v.T, np.zeros((1, 1))]])
        blocks = min(blocks, np.linalg.eigvalsh(full)[0])
    assert blocks < 2 * min(lowest, 0)
    c = -0.5 * (blocks + min(lowest, 0))  # between the two
    b = np.random.default_rng(1).standard_normal(point.m)
    wanted = np.linalg.solve(point.hessian + c * np.eye(point.m), b)
    got = point.solution(c, b)
    assert got is not None
    assert np.linalg.norm(got - wanted) <= 1e-9 * np.linalg.norm(wanted)
    if lowest < 0:
        assert point.solution(-0.9 * lowest, b) is None


def test_the_test_error_is_that_of_autograd():
    problem = draw_problem("shared, output bias")
    point = Point(problem, 0)
    flow = Flow(problem.model, problem.x_test[0], problem.y_test[0])
    theta = torch.cat([value[0].reshape(-1) for value in problem.params.values()])
    got = predict_mse(
        point.run.theta, point.run.sizes, point.run.test, np.zeros(point.run.test.y.size)
    )
    assert got == pytest.approx(float(flow.mse(theta)), rel=1e-13)
