"""What each optimizer costs to reach a training MSE, and where it ends: the papers' target."""

from __future__ import annotations

import statistics

import numpy as np
import torch

from llr.models import ModelSizes, PaperTeacherMLP, build_model, initialize
from llr.training import Adam, GradientDescent, GradientFlow, Problem, RunResult, train_batch

TOLERANCES = (1e-4, 1e-6, 1e-8)
N, WIDTH, TEST, SEEDS, MAX_STEPS = 40, 30, 1000, 6, 300_000

OPTIMIZERS = {
    "gradient descent, lr 0.1": GradientDescent(lr=0.1, max_steps=MAX_STEPS, tol=1e-10),
    "gradient descent, lr 0.3": GradientDescent(lr=0.3, max_steps=MAX_STEPS, tol=1e-10),
    "Adam, lr 0.001": Adam(lr=1e-3, max_steps=MAX_STEPS, tol=1e-10),
    "gradient flow": GradientFlow(tol=1e-20),
}


def papers_problem() -> Problem:
    """Fully connected students from the papers' initialisation, n samples of their target."""
    problems = []
    for seed in range(SEEDS):
        draw = torch.Generator().manual_seed(seed)
        model = build_model("mlp", ModelSizes(input_dim=5, width=WIDTH))
        initialize(model, std=1e-10, generator=draw)
        x = torch.randn(1, N + TEST, 5, dtype=torch.float64, generator=draw)
        y = PaperTeacherMLP()(x[0]).detach()[None]
        problems.append(
            Problem(
                model=model,
                params={name: value.detach()[None] for name, value in model.named_parameters()},
                x_train=x[:, :N],
                y_train=y[:, :N],
                n_train=torch.tensor([N]),
                x_test=x[:, N:],
                y_test=y[:, N:],
                seeds=torch.tensor([seed]),
            )
        )
    return Problem.stack(problems)


def first_below(result: RunResult, tolerance: float) -> float:
    """Steps (flow: time) until the training MSE is down to a tolerance; infinite if never."""
    below = np.flatnonzero(result.history.train_mse <= tolerance)
    return float(result.history.at[below[0]]) if below.size else float("inf")


def accuracy() -> dict[str, dict]:
    """A row for each optimizer: medians over the seeds."""
    problem, rows = papers_problem(), {}
    print(f"fully connected, width {WIDTH}, n = {N}, the papers' target and initialisation")
    for name, optimizer in OPTIMIZERS.items():
        results = train_batch(problem, optimizer)
        reach = [statistics.median(first_below(r, tol) for r in results) for tol in TOLERANCES]
        rows[name] = {
            "until": dict(zip(map(str, TOLERANCES), reach, strict=True)),
            "steps": statistics.median(r.steps for r in results),
            "seconds": statistics.median(r.seconds for r in results),
            "train_mse": statistics.median(r.train_mse for r in results),
            "test_mse": statistics.median(r.test_mse for r in results),
        }
        figures = "  ".join(f"{key} {value:.3g}" for key, value in list(rows[name].items())[1:])
        print(f"  {name:26} {figures}", flush=True)
    return rows
