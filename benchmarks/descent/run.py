"""Run-steps per second of gradient descent on two-layer tanh networks: llr beside its peers.

    python benchmarks/descent/run.py           # all: about ten minutes
    python benchmarks/descent/run.py --quick   # corners of the grid, nothing written

Float64, d = 5, kernels of 3, hidden bias, all cores. A run-step is one full-batch step of one run.
Peers take turns with llr in each cell; each figure is the best of some rounds. Compilation is in no
figure. Batches of 16 and of 64 runs are measured, and each peer is credited with its better one.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import peers
import torch
from accuracy import accuracy

from llr.config import load_config
from llr.models import ModelName, ModelSizes, build_model
from llr.sweep import describe_environment, run_sweep
from llr.training import GradientDescent, Problem, train_batch, warmup
from report import markdown

HERE = Path(__file__).parent
LR = 1e-4  # no run converges or diverges while it is measured
ARCHITECTURES: tuple[ModelName, ...] = ("mlp", "cnn_shared", "cnn_noshare")
SAMPLES, WIDTHS = (5, 20, 50, 100, 200), (10, 50, 100, 300, 1000)
BATCHES = (16, 64)


def problem_of(arch: ModelName, n: int, width: int, runs: int) -> Problem:
    """Runs at PyTorch's default initialisation on normal data."""
    generator = torch.Generator().manual_seed(0)
    sizes = ModelSizes(input_dim=5, width=width, kernel_size=peers.KERNEL_SIZE)
    models = [build_model(arch, sizes, generator=generator) for _ in range(runs)]
    named = [dict(model.named_parameters()) for model in models]
    x, y = (torch.randn(runs, n, k, dtype=torch.float64, generator=generator) for k in (5, 1))
    return Problem(
        model=models[0],
        params={name: torch.stack([p[name].detach() for p in named]) for name in named[0]},
        x_train=x,
        y_train=y,
        n_train=torch.full((runs,), n),
        x_test=x[:, :1],
        y_test=y[:, :1],
        seeds=torch.arange(runs),
    )


def llr_runner(problem: Problem, engine: str) -> Callable[[int], None]:
    """All runs by one of llr's engines."""

    def run(steps: int) -> None:
        optimizer = GradientDescent(lr=LR, max_steps=steps, tol=0.0)
        results = train_batch(problem, optimizer, engine=engine)
        assert all(result.steps == steps for result in results)

    return run


def side_by_side(
    runners: dict[str, tuple[Callable[[int], None], int]], *, rounds: int, seconds: float
) -> dict[str, float]:
    """Run-steps per second of each runner (and its number of runs), in turns."""
    steps, best = {}, dict.fromkeys(runners, 0.0)
    for name, (run, _) in runners.items():
        run(2)  # compiles
        count, took = 4, 0.0
        while took < seconds / 2:  # long enough for fixed costs not to count
            count *= 2
            start = time.perf_counter()
            run(count)
            took = time.perf_counter() - start
        steps[name] = max(1, round(count * seconds / took))
    for _ in range(rounds):
        for name, (run, runs) in runners.items():
            start = time.perf_counter()
            run(steps[name])
            rate = runs * steps[name] / (time.perf_counter() - start)
            best[name] = max(best[name], rate)
    return best


def headline(rounds: int) -> dict[str, float]:
    """Every peer at n = 20, width 50, fully connected."""
    one, *batches = (problem_of("mlp", 20, 50, runs) for runs in (1, *BATCHES))
    runners = {"plain loop": (peers.plain_runner(one, LR), 1)}
    for problem in batches:
        r = problem.n_runs
        runners[f"jax {r}"] = (peers.jax_runner("mlp", problem, LR), r)
        runners[f"torch engine {r}"] = (llr_runner(problem, "torch"), r)
        runners[f"compiled engine {r}"] = (llr_runner(problem, "compiled"), r)
    rates = side_by_side(runners, rounds=rounds, seconds=0.5)
    names = ("plain loop", "torch engine", "jax", "compiled engine")
    best = {name: max(v for k, v in rates.items() if k.startswith(name)) for name in names}
    print("n = 20, width 50, fully connected")
    for name, rate in best.items():
        ratio = best["compiled engine"] / rate
        print(f"  {name:16} {rate:12,.0f} run-steps/s   compiled engine: {ratio:6.1f} x")
    return best


def cell(arch: ModelName, n: int, width: int, rounds: int) -> dict[str, float]:
    """JAX and the compiled engine at one size."""
    runners = {}
    for runs in BATCHES:
        problem = problem_of(arch, n, width, runs)
        runners[f"jax {runs}"] = (peers.jax_runner(arch, problem, LR), runs)
    runners["compiled"] = (llr_runner(problem_of(arch, n, width, 16), "compiled"), 16)
    rates = side_by_side(runners, rounds=rounds, seconds=0.25)
    jax_rate = max(rates[f"jax {runs}"] for runs in BATCHES)
    return {"jax": jax_rate, "compiled": rates["compiled"], "ratio": rates["compiled"] / jax_rate}


def grid(samples: tuple[int, ...], widths: tuple[int, ...], rounds: int) -> list[dict]:
    """All architectures and sizes; prints the ratios as it goes."""
    rows = []
    print("compiled engine / JAX   width " + "".join(f"{width:>18}" for width in widths))
    for arch in ARCHITECTURES:
        for n in samples:
            print(f"  {arch:12} n = {n:<12}", end="", flush=True)
            for width in widths:
                row = {"arch": arch, "n": n, "width": width, **cell(arch, n, width, rounds)}
                rows.append(row)
                print(
                    f"{row['ratio']:7.1f} ({row['compiled']:7.0f})"[:17].rjust(16),
                    end="",
                    flush=True,
                )
            print()
    worst = min(rows, key=lambda row: row["ratio"])
    print(
        f"  least: {worst['ratio']:.1f} x at {worst['arch']}, n = {worst['n']}, "
        f"width {worst['width']}"
    )
    return rows


def sweep_seconds() -> float:
    """The sweep of config.yaml: 90 runs of up to 20,000 steps, store and summary included."""
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(HERE.parents[1] / "config.yaml", [f"output.dir={folder}"])
        start = time.perf_counter()
        result = run_sweep(config, progress=False)
        took = time.perf_counter() - start
    print(f"the sweep of config.yaml: {result.n_trained} runs in {took:.1f} s")
    return took


def finite(value: object) -> object:
    """The same with null for what is not finite."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="corners of the grid, nothing written")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    for done in warmup():
        print(f"{done.engine}: {'compiled' if done.compiled else 'loaded'} in {done.seconds:.1f} s")
    environment = describe_environment()
    environment["versions"]["jax"] = peers.jax.__version__
    ends = (lambda axis: (axis[0], axis[-1])) if options.quick else (lambda axis: axis)
    results = {
        "environment": environment,
        "unit": "run-steps per second",
        "headline": headline(options.rounds),
        "grid": grid(ends(SAMPLES), ends(WIDTHS), options.rounds),
    }
    if not options.quick:
        results |= {"sweep_seconds": sweep_seconds(), "accuracy": accuracy()}
        (HERE / "table.md").write_text(markdown(results))
        path = HERE / "results.json"
        path.write_text(json.dumps(finite(results), indent=2) + "\n")
        print(f"written: {path}")


if __name__ == "__main__":
    main()
