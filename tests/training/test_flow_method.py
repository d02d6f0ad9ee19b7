"""The Rosenbrock methods have the order and the stability that they are chosen for."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from llr.training.flow._rosenbrock import RODAS, ROS34PW2

METHODS = {"rodas": RODAS, "ros34pw2": ROS34PW2}


def field(y):
    return np.array([-np.sin(y[0]) * y[1], y[0] ** 2 - y[1] + 0.3 * y[0] * y[1]])


def jacobian(y):
    return np.array(
        [[-np.cos(y[0]) * y[1], -np.sin(y[0])], [2 * y[0] + 0.3 * y[1], -1 + 0.3 * y[0]]]
    )


def step(method, y, h, matrix, f=field):
    """One step, as the method's definition says."""
    stages = []
    for i in range(len(method.m)):
        point = y + sum((method.a[i, j] * u for j, u in enumerate(stages)), np.zeros_like(y))
        right = f(point) + sum((method.c[i, j] / h * u for j, u in enumerate(stages)), 0 * y)
        stages.append(np.linalg.solve(np.eye(len(y)) / (method.gamma * h) - matrix, right))
    end = y + sum(m * u for m, u in zip(method.m, stages, strict=True))
    return end, sum(e * u for e, u in zip(method.e, stages, strict=True))


def observed_order(method, jacobian_of, *, embedded=False):
    """log2 of how much smaller the local error is at half the step, minus one."""
    y = np.array([0.7, 1.1])
    errors = []
    for h in (0.2, 0.1, 0.05):
        solution = solve_ivp(lambda t, z: field(z), (0, h), y, rtol=1e-13, atol=1e-15)
        end, estimate = step(method, y, h, jacobian_of(y))
        errors.append(np.abs(end - estimate * embedded - solution.y[:, -1]).max())
    return np.log2(np.array(errors[:-1]) / errors[1:])[-1] - 1


@pytest.mark.parametrize("name", METHODS)
def test_a_step_has_its_order_with_the_exact_jacobian(name):
    method = METHODS[name]
    assert observed_order(method, jacobian) == pytest.approx(method.order, abs=0.4)


@pytest.mark.parametrize("name", METHODS)
def test_the_embedded_solution_has_one_order_less(name):
    method = METHODS[name]
    observed = observed_order(method, jacobian, embedded=True)
    assert observed == pytest.approx(method.order - 1, abs=0.4)


def test_the_w_method_keeps_its_order_whatever_the_matrix():
    wrong = np.array([[-2.0, 0.7], [0.1, -3.0]])
    assert observed_order(ROS34PW2, lambda y: wrong) == pytest.approx(3, abs=0.4)
    assert observed_order(RODAS, lambda y: wrong) < 3.5


@pytest.mark.parametrize("name", METHODS)
def test_stiff_components_are_damped_in_one_step(name):
    stiffness = np.diag([-1e3, -1e9])
    end, _ = step(METHODS[name], np.ones(2), 1.0, stiffness, lambda y: stiffness @ y)
    assert np.abs(end[0]) < 0.02
    assert np.abs(end[1]) < 1e-6
