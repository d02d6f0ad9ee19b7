"""The compiled activations are those of the models' table, derivatives and kinks included."""

import numpy as np
import pytest
import torch
from numba import njit

from llr.models import ACTIVATIONS
from llr.training.compiled._activation_kernels import CODES, FORMULAS, activate
from llr.training.simd import LANES


@njit
def _activated(code, values, slopes):
    activate(code, values, slopes, 0, values.size)


def activated(name: str, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and derivatives by the kernel."""
    values = np.zeros(-(-z.size // LANES) * LANES, dtype=z.dtype)
    values[: z.size] = z
    slopes = np.empty_like(values)
    _activated(CODES[name], values, slopes)
    return values[: z.size], slopes[: z.size]


def test_every_activation_of_the_table_has_a_kernel():
    assert list(FORMULAS) == list(CODES)
    assert set(FORMULAS) == set(ACTIVATIONS)


KINKS = [-20.0, -6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0, 20.0]


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_value_and_derivative_are_those_of_the_table(name, dtype):
    rng = np.random.default_rng(0)
    sizes = np.exp(rng.uniform(-40, 4, 3000)) * rng.choice([-1, 1], 3000)
    z = np.concatenate([KINKS, np.linspace(-30, 30, 4001), sizes]).astype(dtype)
    row, exact = ACTIVATIONS[name], torch.from_numpy(z).double()
    for got, wanted in zip(
        activated(name, z), (row.function(exact), row.derivative(exact)), strict=True
    ):
        assert got.dtype == dtype
        tolerance = 2e-14 if dtype == np.float64 else 2e-7
        np.testing.assert_allclose(got, wanted.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "name", [n for n in ACTIVATIONS if float(ACTIVATIONS[n].function(torch.zeros(1))) == 0]
)
def test_values_near_zero_keep_their_relative_accuracy(name):
    z = np.concatenate([np.geomspace(1e-12, 1e-3, 200), -np.geomspace(1e-12, 1e-3, 200)])
    value, _ = activated(name, z)
    wanted = ACTIVATIONS[name].function(torch.from_numpy(z)).numpy()
    if name == "tanhshrink":  # z - tanh(z) cancels, in PyTorch as well
        np.testing.assert_allclose(value, wanted, atol=1e-18)
    else:
        np.testing.assert_allclose(value, wanted, rtol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_is_not_a_number_stays_so(name):
    value, _ = activated(name, np.array([np.nan, 1.0]))
    assert np.isnan(value[0])
    assert np.isfinite(value[1])


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name not in ("sin", "cos")])
def test_far_out_the_values_are_the_limits(name):
    z = np.array([800.0, -800.0, 1e5, -1e5])
    row = ACTIVATIONS[name]
    value, slope = activated(name, z)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(value, row.function(torch.from_numpy(z)).numpy(), rtol=1e-14)
        np.testing.assert_allclose(
            slope, row.derivative(torch.from_numpy(z)).numpy(), rtol=1e-13, atol=1e-300
        )


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_angles_are_reduced_accurately_however_large(name):
    z = np.random.default_rng(1).uniform(-1e12, 1e12, 1000)
    value, slope = activated(name, z)
    exact = torch.from_numpy(z)
    np.testing.assert_allclose(value, ACTIVATIONS[name].function(exact), atol=1e-14)
    np.testing.assert_allclose(slope, ACTIVATIONS[name].derivative(exact), atol=1e-14)
    assert np.isnan(activated(name, np.array([1e17, 1.0]))[0][0])
