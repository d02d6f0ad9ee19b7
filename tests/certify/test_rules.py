"""Every rule of the tape computes what PyTorch computes, and encloses it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.certify.specimens import SPECIMENS, built, samples, traced
from tests.reference.jacobian import jacobian_by_loops
from torch import Tensor

import llr.certify.rules  # noqa: F401
from llr.certify._degrees import Degrees, DegreeSystem
from llr.certify._modular_matrices import echelon
from llr.certify._program_run import RULES
from llr.certify._residues import Field
from llr.certify._tangent_rows import (
    ball_rows,
    exact_rows,
    float_program,
    float_rows,
    given_samples,
    start,
)
from llr.tangent import as_samples, map_samples

ROUNDED_BY_TORCH = {"Hardsigmoid": 1e-8, "celu of alpha 0.3": 1e-7}
"""Derivatives in which PyTorch uses a constant rounded to float32."""


def call(module: torch.nn.Module, sample: object) -> Tensor:
    out = module(**sample) if isinstance(sample, dict) else module(sample)
    leaves = out.values() if isinstance(out, dict) else [out]
    return torch.cat([leaf.reshape(1, -1) for leaf in leaves], dim=1)


def one_by_one(x: object, n: int) -> list[object]:
    return [map_samples(lambda leaf, i=i: leaf[i : i + 1], x) for i in range(n)]


def test_every_rule_has_a_specimen():
    used = {name for specimen in SPECIMENS for name in traced(specimen).operations}
    assert set(RULES) - used == set()


@pytest.mark.parametrize("name", SPECIMENS)
def test_enclosures_hold_what_pytorch_computes(name):
    """Values, the tangent matrix, a product with it; kinks are known beforehand."""
    program, model = traced(name), built(name)
    x = as_samples(samples(name, 2), torch.device("cpu"))
    J = jacobian_by_loops(model, one_by_one(x, 2), call).numpy()
    size = max(1.0, np.abs(J).max())
    tolerance = ROUNDED_BY_TORCH.get(name, 1e-12) * size
    enclosure = float_rows(program, x)
    middle, radius = enclosure.matrix.parts
    assert middle.shape == J.shape
    assert np.abs(middle - J).max() <= tolerance + radius.max()
    assert radius.max() < 1e-11 * size
    assert not enclosure.signs or program.kinks
    value, derivative = float_program(program, x)
    for i, sample in enumerate(one_by_one(x, 2)):
        assert torch.allclose(value[i], call(model, sample)[0], rtol=1e-12, atol=1e-12)
    weight = np.linspace(-1, 1, len(J))
    product = derivative(torch.from_numpy(weight)).numpy()
    assert np.abs(product - weight @ J).max() <= 1e-12 * size + tolerance * len(J)


WITH_BALLS = [
    *("ReLU", "Mish", "GELU", "GELU(tanh)", "SELU", "LogSoftmax", "atan", "log1p", "half power"),
    *("norm", "product", "where not", "amax", "transposed conv1d", "max pool 1d", "group norm"),
    *("masked attention", "GRU", "inputs by name", "LocallyConnected1D", "MLP of softplus"),
]


@pytest.mark.parametrize("name", WITH_BALLS)
def test_balls_lie_inside_the_float64_enclosures(name):
    x = as_samples(samples(name, 1), torch.device("cpu"))
    middle, radius = float_rows(traced(name), x).matrix.parts
    balls = ball_rows(traced(name), x, 160).matrix.parts[0]
    for ball, m, r in zip(balls.ravel(), middle.ravel(), radius.ravel(), strict=True):
        assert abs(float((ball - m).mid())) <= r + float(ball.rad()) + 1e-300
        assert float(ball.rad()) < 1e-20 * max(1.0, abs(m))


@pytest.mark.parametrize("name", [n for n in SPECIMENS if SPECIMENS[n].real])
def test_the_rank_modulo_a_prime_is_the_numerical_one(name):
    """The exact one of what is piecewise polynomial; with symbols, no lower one."""
    program = traced(name)
    x = as_samples(samples(name, 4), torch.device("cpu"))
    enclosure = float_rows(program, x)
    field = Field.random(1, torch.Generator().manual_seed(1))
    exact = exact_rows(program, x, field, enclosure.signs)
    rank = echelon(exact.parts[0], field.primes[0]).rank
    values = np.linalg.svd(enclosure.matrix.parts[0], compute_uv=False)
    numerical = int((values > 1e-9 * values[0]).sum())
    assert rank >= numerical
    if not field.used_symbols:
        assert rank == numerical


@pytest.mark.parametrize("name", ["encoder layer", "LSTM", "LogSoftmax", "MLP of tanh", "quotient"])
def test_the_size_of_an_entry_is_finite_and_counts_symbols(name):
    program, system = traced(name), DegreeSystem()
    x = as_samples(samples(name, 1), torch.device("cpu"))
    *_, output = start(program, system, given_samples(program, system, x))
    assert isinstance(output.value, Degrees)
    assert math.isfinite(output.value.size.bits)
    assert output.value.size.degree >= 1
