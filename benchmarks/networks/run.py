"""Run-steps per second of gradient descent on networks of many kinds: llr beside its peers.

    python benchmarks/networks/run.py                    # the whole grid: about half an hour
    python benchmarks/networks/run.py --quick            # a few cells, nothing written
    python benchmarks/networks/run.py --only relu 5-50-1 20

Float64, all cores, 64 runs at once; the plain loop trains one. A run-step is one full-batch step of
one run. Peers take turns with llr in each cell; each figure is the best of some rounds. Compilation
and what it costs to begin, the time of a single step, are in no figure.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import jax
import jax.numpy as jnp
import torch
from cells import ACTIVATIONS, ARCHITECTURES, SAMPLES, jax_output, problem_of

from llr.sweep import describe_environment
from llr.training import GradientDescent, Problem, train_batch, warmup
from report import markdown

HERE = Path(__file__).parent
LR = 1e-4  # no run converges or diverges while it is measured
RUNS = 64
QUICK = [("relu", "5-50-1", 20), ("tanh", "5-50-50-1", 20), ("gelu", "2-d CNN with pooling", 20)]


def jax_runner(architecture: str, activation: str, problem: Problem) -> Callable[[int], None]:
    """JAX's ``jit(vmap(while_loop))``: whole runs inside one compiled loop."""
    output = partial(jax_output, architecture, ACTIVATIONS[activation][1])

    @jax.jit
    @partial(jax.vmap, in_axes=(0, 0, 0, None))
    def descend(params: dict, x: jax.Array, y: jax.Array, steps: int) -> tuple:
        def loss(params: dict) -> jax.Array:
            return jnp.mean((output(params, x) - y) ** 2)

        def step(state: tuple) -> tuple:
            params, t, _ = state
            mse, gradient = jax.value_and_grad(loss)(params)
            return jax.tree.map(lambda p, g: p - LR * g, params, gradient), t + 1, mse

        def going(state: tuple) -> jax.Array:
            return (state[1] < steps) & (state[2] > 0.0)

        return jax.lax.while_loop(going, step, (params, 0, jnp.inf))

    params = {name: jnp.asarray(value.numpy()) for name, value in problem.params.items()}
    x, y = jnp.asarray(problem.x_train.numpy()), jnp.asarray(problem.y_train.numpy())
    return lambda steps: jax.block_until_ready(descend(params, x, y, steps))


def llr_runner(problem: Problem, engine: str) -> Callable[[int], None]:
    """All runs by one of llr's engines."""

    def run(steps: int) -> None:
        optimizer = GradientDescent(lr=LR, max_steps=steps, tol=0.0)
        results = train_batch(problem, optimizer, engine=engine)
        assert all(result.steps == steps for result in results)

    return run


def plain_runner(problem: Problem) -> Callable[[int], None]:
    """The loop everybody writes: one run, autograd, torch.optim."""
    model = problem.model
    model.load_state_dict({name: value[0] for name, value in problem.params.items()})
    x, y = problem.x_train[0], problem.y_train[0]
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)

    def run(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            (model(x) - y).square().mean().backward()
            optimizer.step()

    return run


def timed(run: Callable[[int], None], steps: int) -> float:
    """Seconds."""
    start = time.perf_counter()
    run(steps)
    return time.perf_counter() - start


def cell(activation: str, architecture: str, n: int, rounds: int, seconds: float) -> dict:
    """Run-steps per second of everyone at one place of the grid, in turns."""
    problem = problem_of(architecture, activation, n, RUNS)
    runners = {
        "plain loop": (plain_runner(problem.select([0])), 1),
        "jax": (jax_runner(architecture, activation, problem), RUNS),
        "torch engine": (llr_runner(problem, "torch"), RUNS),
        "compiled engine": (llr_runner(problem, "compiled"), RUNS),
    }
    steps, fixed, rates = {}, {}, dict.fromkeys(runners, 0.0)
    for name, (run, _) in runners.items():
        run(2)  # compiles
        fixed[name] = min(timed(run, 1) for _ in range(3))
        count, took = 2, 0.0
        while took < seconds / 4:
            count *= 2
            took = timed(run, count) - fixed[name]
        steps[name] = max(2, round(count * seconds / took))
    for _ in range(rounds):
        for name, (run, runs) in runners.items():
            took = max(timed(run, steps[name]) - fixed[name], 0.5 * seconds)
            rates[name] = max(rates[name], runs * (steps[name] - 1) / took)
    ratios = {f"against {name}": rates["compiled engine"] / rates[name] for name in rates}
    row = {"activation": activation, "architecture": architecture, "n": n, **rates, **ratios}
    print(
        f"{activation:8} {architecture:22} n = {n:<4}"
        + "".join(f"  {name} {rate:,.0f}" for name, rate in rates.items())
        + f"  | {row['against jax']:.2f} x jax",
        flush=True,
    )
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few cells, nothing written")
    parser.add_argument("--only", nargs=3, metavar=("ACTIVATION", "ARCHITECTURE", "N"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.4, help="of each measurement")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    for done in warmup():
        print(f"{done.engine}: {'compiled' if done.compiled else 'loaded'} in {done.seconds:.1f} s")
    chosen = list(itertools.product(ACTIVATIONS, ARCHITECTURES, SAMPLES))
    if options.only:
        activation, architecture, n = options.only
        chosen = [(activation, architecture, int(n))]
    elif options.quick:
        chosen = QUICK
    rows = [cell(*place, options.rounds, options.seconds) for place in chosen]
    against = [row["against jax"] for row in rows]
    print(f"compiled engine / JAX: median {median(against):.2f}, least {min(against):.2f}")
    if options.quick or options.only:
        sys.exit()
    environment = describe_environment()
    environment["versions"]["jax"] = jax.__version__
    results = {"environment": environment, "unit": "run-steps per second", "grid": rows}
    (HERE / "table.md").write_text(markdown(results))
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
