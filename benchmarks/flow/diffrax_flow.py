"""The same flow by diffrax: Kvaerno's method of order five, fully connected, without biases."""

from __future__ import annotations

from collections.abc import Callable

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


def diffrax_runner(
    x: np.ndarray, y: np.ndarray, *, tol: float, max_time: float, rtol: float, atol: float
) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, float]]:
    """A compiled function from initial (w, a) to their end and its time."""

    def mse(theta: tuple) -> jax.Array:
        w, a = theta
        return jnp.mean((jnp.tanh(x @ w.T) @ a - y) ** 2)

    def field(t: float, theta: tuple, args: None) -> tuple:
        return jax.tree.map(jnp.negative, jax.grad(mse)(theta))

    @jax.jit
    def integrate(theta: tuple) -> diffrax.Solution:
        return diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            diffrax.Kvaerno5(),
            t0=0.0,
            t1=max_time,
            dt0=None,
            y0=theta,
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
            event=diffrax.Event(lambda t, y, args, **_: mse(y) <= tol),
            max_steps=100_000,
        )

    def run(w: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        solution = integrate((jnp.asarray(w), jnp.asarray(a)))
        w_end, a_end = (np.asarray(value[-1]) for value in solution.ys)
        return w_end, a_end, float(solution.ts[-1])

    return run
