"""The compiled engine: its tanh, its layout, its cache, and an interrupt that ends it."""

import os
import signal
import subprocess
import sys
import threading
import time

import mpmath
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import njit
from tests.training.runs import draw_problem

from llr.cli import main
from llr.errors import InvalidInputError
from llr.models import NoShareTanhConv1D, SharedTanhConv1D, TwoLayerTanhMLP
from llr.training import Adam, GradientDescent, train, train_batch
from llr.training.simd import LANES, load, store, tanh

MOST_ULPS = 4.0


@njit
def _tanh_of(x, out):
    for i in range(0, x.size, LANES):
        store(out, i, tanh(load(x, i)))


def tanh_of(x: np.ndarray) -> np.ndarray:
    """The kernels' tanh of an array."""
    padded = np.zeros(-(-x.size // LANES) * LANES)
    padded[: x.size] = x
    out = np.empty_like(padded)
    _tanh_of(padded, out)
    return out[: x.size]


def error_in_ulps(x: float, value: float) -> float:
    """Distance from the true tanh in units of the last place of the true value."""
    with mpmath.workdps(40):
        truth = mpmath.tanh(mpmath.mpf(x))
        return float(abs(mpmath.mpf(value) - truth) / mpmath.mpf(np.spacing(abs(float(truth)))))


@pytest.mark.parametrize(
    ("low", "high"),
    [(1e-320, 1e-300), (1e-300, 1e-8), (1e-8, 0.2), (0.1, 2.0), (1.0, 20.0), (17.0, 19.2)],
)
def test_tanh_is_accurate_from_the_smallest_numbers_to_saturation(low, high):
    rng = np.random.default_rng(0)
    x = np.exp(rng.uniform(np.log(low), np.log(high), 1500))
    errors = [error_in_ulps(*pair) for pair in zip(x.tolist(), tanh_of(x).tolist(), strict=True)]
    assert max(errors) <= MOST_ULPS


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(0.17328679513998632)  # log(2) / 4, where the reduced argument changes
@example(19.061547465398498)  # tanh rounds to 1 from here
@example(5e-324)
def test_tanh_is_odd_and_accurate_anywhere(x):
    value, negative = tanh_of(np.array([x, -x]))
    assert negative == -value
    assert abs(value) <= 1
    assert error_in_ulps(x, float(value)) <= MOST_ULPS


def test_tanh_saturates_at_exactly_one_and_keeps_what_is_not_a_number():
    x = np.array([0.0, 19.07, 25.0, 1e308, np.inf, -19.07, -1e300, -np.inf, np.nan])
    wanted = [0.0, 1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, np.nan]
    np.testing.assert_array_equal(tanh_of(x), wanted)
    close_to_one = np.linspace(17.5, 19.1, 100_000)
    assert tanh_of(close_to_one).max() == 1.0


@given(
    kind=st.sampled_from(["mlp", "shared", "unshared"]),
    width=st.integers(1, 2 * LANES + 1),
    kernel_size=st.integers(1, 4),
    n=st.integers(1, 11),
    n_test=st.integers(0, 70),
    hidden_bias=st.booleans(),
    output_bias=st.booleans(),
    dropout=st.sampled_from([0.0, 0.4]),
    adam=st.booleans(),
    seed=st.integers(-(2**63), 2**63 - 1),
)
@settings(max_examples=60)
def test_any_shape_trains_as_in_torch(
    kind, width, kernel_size, n, n_test, hidden_bias, output_bias, dropout, adam, seed
):
    options = {
        "width": width,
        "hidden_bias": hidden_bias,
        "output_bias": output_bias,
        "generator": torch.Generator().manual_seed(width),
    }
    if kind == "mlp":
        model = TwoLayerTanhMLP(4, **options)
    else:
        convolution = SharedTanhConv1D if kind == "shared" else NoShareTanhConv1D
        model = convolution(4, kernel_size=kernel_size, **options)
    generator = torch.Generator().manual_seed(n)
    x = torch.randn(n + n_test, 4, dtype=torch.float64, generator=generator)
    y = torch.randn(n + n_test, 1, dtype=torch.float64, generator=generator)
    common = {"max_steps": 25, "tol": 0.0, "dropout": dropout, "weight_decay": 1e-3}
    optimizer = Adam(**common) if adam else GradientDescent(lr=0.03, **common)
    compiled, by_torch = (
        train(
            model,
            *(x[:n], y[:n]),
            **{"x_test": x[n:], "y_test": y[n:], "optimizer": optimizer},
            **{"engine": engine, "seed": seed},
        )
        for engine in ("compiled", "torch")
    )
    np.testing.assert_allclose(
        compiled.history.train_mse, by_torch.history.train_mse, rtol=1e-10, atol=1e-25
    )
    np.testing.assert_allclose(compiled.history.test_mse, by_torch.history.test_mse, rtol=1e-10)
    for name, value in by_torch.params.items():
        torch.testing.assert_close(compiled.params[name], value, rtol=1e-9, atol=1e-13)


def test_an_interrupt_ends_training_at_once():
    problem = draw_problem("unshared", samples=(200, 200, 200))
    endless = GradientDescent(lr=1e-6, max_steps=10**9, tol=0.0)
    threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        train_batch(problem, endless, engine="compiled")
    assert time.monotonic() - start < 20  # seconds, where the runs themselves take days
    assert not [t for t in threading.enumerate() if "ThreadPoolExecutor" in t.name]


def in_another_process(script: str, **environment: str) -> str:
    """What a script prints in a fresh Python."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_kernel_is_compiled_once_and_calls_no_svml(tmp_path):
    script = """
from llr.training._compilation import tiny_problem
from llr.training.compiled import CompiledEngine
from llr.training.compiled._two_layer_run import descend
problem, model = tiny_problem()
compiled = CompiledEngine().compile_for(problem, model.structure)
print(compiled, "svml" in str(descend.inspect_asm()) if compiled else "")
"""
    assert in_another_process(script, NUMBA_CACHE_DIR=str(tmp_path)) == "True False"
    assert in_another_process(script, NUMBA_CACHE_DIR=str(tmp_path)) == "False"


def test_where_numba_is_off_torch_trains(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    problem, optimizer = draw_problem("shared"), GradientDescent(max_steps=3)
    assert {result.engine for result in train_batch(problem, optimizer)} == {"torch"}
    with pytest.raises(InvalidInputError, match="NUMBA_DISABLE_JIT"):
        train_batch(problem, optimizer, engine="compiled")


def test_compilation_is_no_part_of_a_runs_seconds():
    problem = draw_problem("mlp")
    (result, *_) = train_batch(problem, GradientDescent(max_steps=1), engine="compiled")
    assert 0 < result.seconds < 1


def test_the_command_says_what_it_compiled():
    output = CliRunner().invoke(main, ["warmup"]).output
    assert "compiled" in output
    assert output.count(" s\n") >= 1
