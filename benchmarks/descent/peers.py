"""The same descent by the peers: a plain PyTorch loop, and JAX's jit(vmap(while_loop))."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import torch

from llr.training import Problem

jax.config.update("jax_enable_x64", True)

KERNEL_SIZE = 3


def jax_output(arch: str, theta: tuple, x: jax.Array) -> jax.Array:
    """Outputs (n,) of one network, written as a JAX user would."""
    w, b, a = theta
    if arch == "mlp":
        return jnp.tanh(x @ w.T + b) @ a
    positions = x.shape[1] - KERNEL_SIZE + 1
    patches = jnp.stack([x[:, j : j + KERNEL_SIZE] for j in range(positions)], axis=1)
    if arch == "cnn_shared":
        h = jnp.tanh(jnp.einsum("nps,cs->ncp", patches, w) + b[:, None])
    else:
        h = jnp.tanh(jnp.einsum("nps,cps->ncp", patches, w) + b)
    return jnp.einsum("ncp,cp->n", h, a)


@partial(jax.jit, static_argnums=0)
@partial(jax.vmap, in_axes=(None, 0, 0, 0, None, None, None))
def jax_descent(
    arch: str, theta: tuple, x: jax.Array, y: jax.Array, steps: int, lr: float, tol: float
) -> tuple:
    """Gradient descent to ``steps`` or ``tol``, whole runs inside one compiled loop."""

    def loss(theta: tuple) -> jax.Array:
        return jnp.mean((jax_output(arch, theta, x) - y) ** 2)

    def going(state: tuple) -> jax.Array:
        _, t, mse = state
        return (t < steps) & (mse > tol)

    def step(state: tuple) -> tuple:
        theta, t, _ = state
        mse, gradient = jax.value_and_grad(loss)(theta)
        return jax.tree.map(lambda p, g: p - lr * g, theta, gradient), t + 1, mse

    return jax.lax.while_loop(going, step, (theta, 0, jnp.inf))


def jax_runner(arch: str, problem: Problem, lr: float) -> Callable[[int], None]:
    """A function that trains all runs of a problem for a number of steps."""
    r = problem.n_runs
    shapes = {
        "mlp": lambda w, b, a: (w, b, a.reshape(r, -1)),
        "cnn_shared": lambda w, b, a: (w[:, :, 0], b, a.reshape(r, b.shape[1], -1)),
        "cnn_noshare": lambda w, b, a: (w[:, :, :, 0], b, a.reshape(b.shape)),
    }
    values = (problem.params[f"{n}"] for n in ("hidden.weight", "hidden.bias", "output.weight"))
    theta = tuple(jnp.asarray(v.numpy()) for v in shapes[arch](*values))
    x, y = jnp.asarray(problem.x_train.numpy()), jnp.asarray(problem.y_train[..., 0].numpy())

    def run(steps: int) -> None:
        jax.block_until_ready(jax_descent(arch, theta, x, y, steps, lr, 0.0))

    return run


def plain_runner(problem: Problem, lr: float) -> Callable[[int], None]:
    """The loop everybody writes: one run, autograd, torch.optim."""
    model = problem.model
    model.load_state_dict({name: value[0] for name, value in problem.params.items()})
    x, y = problem.x_train[0], problem.y_train[0]
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)

    def run(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = (model(x) - y).square().mean()
            loss.backward()
            optimizer.step()

    return run
