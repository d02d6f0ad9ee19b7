"""The gradient flow of two-layer tanh networks to its end: llr beside SciPy and diffrax.

    python benchmarks/flow/run.py           # all: about ten minutes
    python benchmarks/flow/run.py --quick   # a few runs of each part, nothing written

Float64, d = 5, no biases, the papers' target, initial deviation 1e-10, until a training MSE of
1e-20 or t = 1e8. Compilation is in no figure. SciPy gets the exact Jacobian and one BLAS thread a
process. The phase diagram is timed by the clock and by the processor; of anything on one thread the
smaller of both is kept, since other work on the machine can only add to either.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: also for the worker processes

import argparse
import json
import math
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import torch
from diffrax_flow import diffrax_runner
from scipy_flow import Network, solve

from llr.models import ModelName, ModelSizes, PaperTeacherMLP, build_model, initialize
from llr.seeds import generator
from llr.sweep import describe_environment
from llr.training import GradientFlow, Problem, RunResult, train_batch, warmup
from report import markdown

T = TypeVar("T")
HERE = Path(__file__).parent
ARCHITECTURES: tuple[ModelName, ...] = ("cnn_shared", "cnn_noshare", "mlp")
SAMPLES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 22, 25, 28, 30, 33, 36, 40)
SEEDS, WIDTH, TEST, KERNEL_SIZE = 6, 20, 500, 3
TOL, MAX_TIME, RTOL, ATOL = 1e-20, 1e8, 1e-4, 1e-13
FLOW = GradientFlow(tol=TOL, max_time=MAX_TIME, rtol=RTOL)


def run_of(arch: ModelName, n: int, width: int, seed: int, *, most: int, n_test: int) -> Problem:
    """One run; room for ``most`` samples, so that runs stack."""
    sizes = ModelSizes(input_dim=5, width=width, kernel_size=KERNEL_SIZE, hidden_bias=False)
    model = initialize(build_model(arch, sizes), std=1e-10, generator=generator(seed, "init"))
    target = PaperTeacherMLP()

    def data(purpose: str, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.randn(1, count, 5, dtype=torch.float64, generator=generator(seed, purpose))
        with torch.no_grad():
            return x, target(x[0])[None]

    (x, y), (x_test, y_test) = data("train", most), data("test", n_test)
    params = {name: p.detach()[None] for name, p in model.named_parameters()}
    return Problem(model, params, x, y, torch.tensor([n]), x_test, y_test, torch.tensor([seed]))


def problem_of(
    arch: ModelName, samples: tuple[int, ...], width: int, seeds: int, *, n_test: int = TEST
) -> Problem:
    """All sample sizes by all seeds."""
    runs = [
        run_of(arch, n, width, seed, most=max(samples), n_test=n_test)
        for n in samples
        for seed in range(seeds)
    ]
    return Problem.stack(runs)


def seen(arch: ModelName, x: np.ndarray) -> np.ndarray:
    """What each position sees of inputs (n, d), (P, n, S)."""
    if arch == "mlp":
        return x[None]
    return np.stack([x[:, p : p + KERNEL_SIZE] for p in range(x.shape[1] - KERNEL_SIZE + 1)])


def for_scipy(arch: ModelName, problem: Problem, index: int) -> tuple[Network, Network, np.ndarray]:
    """The training and the test network of a run, and its parameters."""
    n = int(problem.n_train[index])
    data = (
        (problem.x_train[index, :n], problem.y_train[index, :n]),
        (problem.x_test[index], problem.y_test[index]),
    )
    hidden = problem.params["hidden.weight"][index].numpy()
    output = problem.params["output.weight"][index].numpy().reshape(-1)
    if arch == "mlp":  # (C, S)
        w, kernels = hidden.T[None], hidden.shape[0]
    elif arch == "cnn_shared":  # (C, 1, S)
        w, kernels = hidden[:, 0].T[None], hidden.shape[0]
    else:  # (C, P, 1, S)
        w, kernels = hidden[:, :, 0].transpose(1, 2, 0), hidden.shape[0]
    a = output.reshape(kernels, -1).T
    train, test = (
        Network(seen(arch, x.numpy()), y[:, 0].numpy(), kernels, arch != "cnn_noshare")
        for x, y in data
    )
    return train, test, np.concatenate([w.ravel(), a.ravel()])


Task: TypeAlias = tuple[Network, Network, np.ndarray]


def lsoda(task: Task) -> tuple[float, float]:
    """One run in a worker process: seconds of processor, test MSE."""
    train, test, theta = task
    used = time.process_time()
    end = solve("LSODA", train, theta, tol=TOL, max_time=MAX_TIME, rtol=RTOL, atol=ATOL)
    return time.process_time() - used, test.mse(end.theta)


def lsoda_in_two_processes(tasks: list[Task]) -> tuple[dict[str, float], list[float]]:
    """All runs: seconds by the clock and by the processors, test MSEs; the pool is up before."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(lsoda, tasks[:4]))
        start = time.perf_counter()
        used, test_mse = zip(*pool.map(lsoda, tasks, chunksize=4), strict=True)
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "processor_seconds": sum(used)}, list(test_mse)


def phase_diagram(samples: tuple[int, ...], rounds: int) -> dict:
    """The runs of configs/phase.yaml: llr with all cores, LSODA with two processes."""
    problems = {arch: problem_of(arch, samples, WIDTH, SEEDS) for arch in ARCHITECTURES}
    results: dict[str, list[RunResult]] = {}
    seconds, processor = [], []
    for _ in range(rounds):
        start, used = time.perf_counter(), time.process_time()
        results = {arch: train_batch(problem, FLOW) for arch, problem in problems.items()}
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    tasks = [
        for_scipy(arch, problem, index)
        for arch, problem in problems.items()
        for index in range(problem.n_runs)
    ]
    peer, peer_mse = lsoda_in_two_processes(tasks)
    ours = [result.test_mse for arch in ARCHITECTURES for result in results[arch]]
    apart = [abs(math.log10(a / b)) for a, b in zip(ours, peer_mse, strict=True)]
    medians = {
        arch: {
            str(n): [
                statistics.median(values[k * SEEDS : (k + 1) * SEEDS])
                for values in (
                    [result.test_mse for result in results[arch]],
                    peer_mse[i * len(samples) * SEEDS : (i + 1) * len(samples) * SEEDS],
                )
            ]
            for k, n in enumerate(samples)
        }
        for i, arch in enumerate(ARCHITECTURES)
    }
    statuses = [result.status for runs in results.values() for result in runs]
    row = {
        "runs": len(tasks),
        "llr": {"seconds": min(seconds), "processor_seconds": min(processor)},
        "lsoda": peer,
        "ratio": peer["seconds"] / min(seconds),
        "processor_ratio": peer["processor_seconds"] / min(processor),
        "steps": statistics.mean(r.steps for runs in results.values() for r in runs),
        "statuses": {status: statuses.count(status) for status in sorted(set(statuses))},
        "median_decades_apart": statistics.median(apart),
        "median_test_mse_llr_and_lsoda": medians,
    }
    print(f"phase diagram, {row['runs']} runs of width {WIDTH}, {row['statuses']}")
    for name in ("llr", "lsoda"):
        clock, cpu = row[name]["seconds"], row[name]["processor_seconds"]
        print(f"  {name:6} {clock:7.2f} s ({cpu:7.2f} s of processor)")
    print(
        f"  ratio  {row['ratio']:.1f} x ({row['processor_ratio']:.1f} x of processor)", flush=True
    )
    return row


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """What a call returns, and its seconds by the clock or the processor, whichever are fewer."""
    start, used = time.perf_counter(), time.process_time()
    out = call()
    return out, min(time.perf_counter() - start, time.process_time() - used)


def alone(problem: Problem, rounds: int) -> list[tuple[RunResult, float]]:
    """Each run on one thread, and its seconds in its fastest round."""
    out = []
    for index in range(problem.n_runs):
        one = problem.select([index])
        results = [timed(lambda one=one: train_batch(one, FLOW, threads=1)) for _ in range(rounds)]
        runs, seconds = zip(*results, strict=True)
        out.append((runs[0][0], min(*seconds, *(run[0].seconds for run in runs))))
    return out


def wide(width: int, limit_s: float, rounds: int) -> dict:
    """A fully connected network at n = 20: llr beside BDF with the exact Jacobian."""
    problem = problem_of("mlp", (20,), width, 1)
    ((ours, our_seconds),) = alone(problem, rounds)
    train, test, theta = for_scipy("mlp", problem, 0)
    limits = {"tol": TOL, "max_time": MAX_TIME, "rtol": RTOL, "atol": ATOL, "limit_s": limit_s}
    end, seconds = timed(lambda: solve("BDF", train, theta, **limits))
    row = {
        "width": width,
        "llr": {"seconds": our_seconds, "time": ours.time, "test_mse": ours.test_mse},
        "bdf": {
            "seconds": seconds,
            "time": end.time,
            "train_mse": end.train_mse,
            "test_mse": test.mse(end.theta),
            "finished": end.finished,
        },
        "ratio": seconds / our_seconds,
    }
    state = (
        "" if end.finished else f", stopped at t = {end.time:.3g}, train MSE {end.train_mse:.1g}"
    )
    print(
        f"width {width}, n = 20: llr {our_seconds:.3f} s, BDF {seconds:.1f} s{state}: "
        f"{'' if end.finished else 'more than '}{row['ratio']:.0f} x",
        flush=True,
    )
    return row


def beside_diffrax(width: int, seeds: int, rounds: int) -> dict:
    """A fully connected network at n = 20: llr beside Kvaerno5."""
    problem = problem_of("mlp", (20,), width, seeds)
    ours = alone(problem, rounds)
    theirs, test_mse = [], []
    for index in range(seeds):
        x, y = problem.x_train[index].numpy(), problem.y_train[index, :, 0].numpy()
        run = diffrax_runner(x, y, tol=TOL, max_time=MAX_TIME, rtol=RTOL, atol=ATOL)
        w, a = (problem.params[f"{k}.weight"][index].numpy() for k in ("hidden", "output"))
        run(w, a[0])  # compiles
        (w, a, _), seconds = timed(lambda run=run, w=w, a=a: run(w, a[0]))
        theirs.append(seconds)
        error = (
            np.tanh(problem.x_test[index].numpy() @ w.T) @ a - problem.y_test[index, :, 0].numpy()
        )
        test_mse.append(float(np.mean(error**2)))
    row = {
        "width": width,
        "llr_seconds": statistics.median(seconds for _, seconds in ours),
        "diffrax_seconds": statistics.median(theirs),
        "test_mse_llr": [run.test_mse for run, _ in ours],
        "test_mse_diffrax": test_mse,
    }
    row["ratio"] = row["diffrax_seconds"] / row["llr_seconds"]
    print(
        f"width {width}, n = 20: llr {row['llr_seconds']:.4f} s, diffrax Kvaerno5 "
        f"{row['diffrax_seconds']:.2f} s: {row['ratio']:.0f} x",
        flush=True,
    )
    return row


def cost(widths: tuple[int, ...], samples: tuple[int, ...], rounds: int) -> dict:
    """Seconds a step and a run against width and n, one thread, with the fitted exponents."""

    def measure(n: int, width: int) -> dict[str, float]:
        runs = alone(problem_of("mlp", (n,), width, 3, n_test=100), rounds)
        return {
            "n": n,
            "width": width,
            "steps": statistics.median(run.steps for run, _ in runs),
            "seconds": statistics.median(seconds for _, seconds in runs),
            "seconds_a_step": statistics.median(seconds / run.steps for run, seconds in runs),
        }

    table = {
        "width": [measure(20, width) for width in widths],
        "n": [measure(n, 100) for n in samples],
    }
    exponents = {}
    for axis, rows in table.items():
        at = np.log([row[axis] for row in rows])
        for what in ("seconds", "seconds_a_step"):
            fitted = np.polyfit(at, np.log([row[what] for row in rows]), 1)[0]
            exponents[f"{what} against {axis}"] = float(fitted)
        print(f"cost against {axis}")
        for row in rows:
            print(
                f"  {row[axis]:6} {row['steps']:6.0f} steps {row['seconds']:8.4f} s a run "
                f"{1e6 * row['seconds_a_step']:9.1f} us a step"
            )
    for name, value in exponents.items():
        print(f"  exponent of {name}: {value:.2f}", flush=True)
    return {**table, "exponents": exponents}


def accuracy(rtols: tuple[float, ...], reference: float, seeds: int) -> list[dict]:
    """How far the final test MSE is from that at a much smaller tolerance."""
    sizes = {"cnn_shared": (6, 10), "cnn_noshare": (12, 20), "mlp": (18, 24)}
    problems = [problem_of(arch, samples, WIDTH, seeds) for arch, samples in sizes.items()]

    def ends(rtol: float) -> list[RunResult]:
        flow = GradientFlow(tol=TOL, max_time=MAX_TIME, rtol=rtol)
        return [result for problem in problems for result in train_batch(problem, flow)]

    truth = ends(reference)
    rows = []
    print(f"test MSE against that at rtol {reference:g}, {len(truth)} runs of width {WIDTH}")
    for rtol in rtols:
        runs = ends(rtol)
        off = [abs(a.test_mse / b.test_mse - 1.0) for a, b in zip(runs, truth, strict=True)]
        row = {
            "rtol": rtol,
            "median": statistics.median(off),
            "ninth_decile": float(np.quantile(off, 0.9)),
            "largest": max(off),
            "steps": statistics.median(run.steps for run in runs),
            "seconds": statistics.median(run.seconds for run in runs),
        }
        rows.append(row)
        print("  " + "  ".join(f"{name} {value:.2g}" for name, value in row.items()), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few runs, nothing written")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit-s", type=float, default=150.0, help="of BDF at width 1000")
    options = parser.parse_args()
    quick, rounds = options.quick, options.rounds

    for done in warmup():
        print(f"{done.engine}: {'compiled' if done.compiled else 'loaded'} in {done.seconds:.1f} s")
    environment = describe_environment()
    for package in ("jax", "diffrax"):
        environment["versions"][package] = metadata.version(package)
    results = {
        "environment": environment,
        "phase": phase_diagram(SAMPLES[4::6] if quick else SAMPLES, rounds),
        "wide": [
            wide(width, options.limit_s, rounds) for width in ((50,) if quick else (100, 1000))
        ],
        "diffrax": beside_diffrax(50, 1 if quick else 3, rounds),
        "cost": cost(
            (10, 30, 100, 300) if quick else (10, 30, 100, 300, 1000, 3000),
            (5, 20, 50) if quick else (5, 10, 20, 50, 100),
            rounds,
        ),
        "accuracy": accuracy((1e-2, 1e-3, 1e-4, 1e-5, 1e-6), 1e-8, 1 if quick else 4),
    }
    if not quick:
        (HERE / "table.md").write_text(markdown(results))
        path = HERE / "results.json"
        path.write_text(json.dumps(results, indent=2) + "\n")
        print(f"written: {path}")


if __name__ == "__main__":
    main()
