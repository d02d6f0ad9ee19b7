"""Named training cases: an architecture, how it starts, how it is trained."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from tests.effort import cases
from tests.reference.training import PlainRun, train_alone
from torch import Tensor, nn

from llr.models import (
    MLP,
    DiagonalNetwork,
    LocallyConnected1D,
    MatrixFactorization,
    NoShareTanhConv1D,
    NoShareTanhConv2D,
    Pointwise,
    SharedTanhConv1D,
    SharedTanhConv2D,
    ToyNonlinear,
    TwoLayerTanhMLP,
    initialize,
)
from llr.training import Adam, GradientDescent, Problem, RunResult

STEPS = cases(200, soak=1000)
SAMPLES = (5, 8)
"""Training set sizes of the runs of a batch."""


class UserModule(nn.Module):
    """Somebody else's module: two outputs, a buffer, a frozen parameter, a layer used twice."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 3, dtype=torch.float64)
        self.scale = nn.Parameter(torch.ones(2, dtype=torch.float64), requires_grad=False)
        self.head = nn.Linear(3, 2, dtype=torch.float64)
        self.register_buffer("shift", torch.tensor(0.3, dtype=torch.float64))
        initialize(self, std=0.5, generator=generator)
        self.input_shape = (3,)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.head(torch.sin(self.inner(torch.relu(self.inner(x)) + self.shift)))


def biased(hidden: bool, output: bool) -> dict[str, bool]:
    return {"hidden_bias": hidden, "output_bias": output}


Build = Callable[[torch.Generator], nn.Module]

TWO_LAYER: dict[str, Build] = {
    "mlp": lambda g: TwoLayerTanhMLP(5, width=9, generator=g),
    "mlp without biases": lambda g: TwoLayerTanhMLP(
        2, width=3, **biased(False, False), generator=g
    ),
    "mlp on the line, both biases": lambda g: TwoLayerTanhMLP(
        1, width=17, **biased(True, True), generator=g
    ),
    "shared": lambda g: SharedTanhConv1D(5, width=3, kernel_size=3, generator=g),
    "shared, output bias": lambda g: SharedTanhConv1D(
        5, width=10, kernel_size=2, **biased(False, True), generator=g
    ),
    "unshared": lambda g: NoShareTanhConv1D(5, width=3, kernel_size=3, generator=g),
    "unshared, both biases": lambda g: NoShareTanhConv1D(
        4, width=8, kernel_size=4, **biased(True, True), generator=g
    ),
    "shared 2-d": lambda g: SharedTanhConv2D(4, width=2, kernel_size=2, generator=g),
    "unshared 2-d": lambda g: NoShareTanhConv2D(
        3, width=9, kernel_size=2, **biased(True, True), generator=g
    ),
}

OTHERS: dict[str, Build] = {
    "matrix factorization": lambda g: MatrixFactorization(2, 3, width=2, generator=g),
    "diagonal": lambda g: DiagonalNetwork(4, depth=3, generator=g),
    "toy": lambda g: ToyNonlinear(generator=g),
    "user": UserModule,
}


def sequential(shape: tuple[int, ...], *modules: nn.Module) -> Build:
    """A Sequential that is drawn from the generator and says what its inputs look like."""

    def build(generator: torch.Generator) -> nn.Module:
        model = nn.Sequential(*modules).double()
        model.input_shape = shape
        return initialize(copy.deepcopy(model), std=0.5, generator=generator)

    return build


LAYERED: dict[str, Build] = {
    "two-layer by another name": lambda g: MLP(3, widths=[4], activation="relu", generator=g),
    "deep mlp": lambda g: MLP(3, widths=[4, 3], activation="gelu", output_dim=2, generator=g),
    "linear": lambda g: MLP(3, widths=[], output_dim=3, output_bias=True, generator=g),
    "four layers": lambda g: MLP(
        2, widths=[9, 17, 8], activation="softplus", output_dim=6, output_bias=True, generator=g
    ),
    "deep tanh, one output": sequential(
        (4,), nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 1)
    ),
    "sigmoid to the end": sequential(
        (3,), nn.Linear(3, 4), nn.SiLU(), nn.Linear(4, 2), nn.Sigmoid()
    ),
    "1-d convolutions": sequential(
        (9,),
        nn.Unflatten(1, (1, 9)),
        nn.Conv1d(1, 3, 3, padding=1),
        nn.Tanh(),
        nn.Conv1d(3, 9, 3, stride=2, bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(36, 1),
    ),
    "2-d convolutions": sequential(
        (2, 6, 6),
        nn.Conv2d(2, 4, 3),
        nn.GELU(),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 3, 2),
        nn.ELU(),
        nn.Flatten(),
        nn.Linear(3, 5),
    ),
    "locally connected": sequential(
        (1, 7),
        LocallyConnected1D(7, in_channels=1, out_channels=2, kernel_size=3),
        Pointwise("sin"),
        LocallyConnected1D(5, in_channels=2, out_channels=9, kernel_size=2, stride=2),
        nn.Flatten(),
        nn.Tanh(),
        nn.Linear(18, 2),
    ),
}

MODELS = TWO_LAYER | LAYERED | OTHERS

# Rates at which a rounding error does not grow: near convergence a fast Adam is chaotic, and a
# plain loop started one unit in the last place away ends elsewhere.
OPTIMIZERS: dict[str, GradientDescent | Adam] = {
    "descent": GradientDescent(lr=0.1, max_steps=STEPS, tol=1e-8),
    "descent, decay": GradientDescent(lr=0.05, max_steps=STEPS, tol=1e-8, weight_decay=1e-3),
    "momentum": GradientDescent(
        lr=0.02, max_steps=STEPS, tol=1e-8, momentum=0.8, weight_decay=1e-4
    ),
    "adam": Adam(lr=1e-3, max_steps=STEPS, tol=1e-8),
    "adam, decay": Adam(lr=2e-3, max_steps=STEPS, tol=1e-8, weight_decay=1e-2, beta1=0.8, eps=1e-6),
}

DROPOUT: dict[str, GradientDescent | Adam] = {
    "descent, dropout": GradientDescent(lr=0.05, max_steps=STEPS, tol=1e-8, dropout=0.3),
    "adam, dropout": Adam(lr=1e-3, max_steps=STEPS, tol=1e-8, dropout=0.1, weight_decay=1e-3),
}


@dataclass(frozen=True)
class Start:
    """Where the parameters start."""

    name: str
    std: float | None  # None: the module's default

    def __str__(self) -> str:
        return self.name


DEFAULT, TINY = Start("default", None), Start("tiny", 1e-10)


def draw_model(name: str, seed: int, start: Start = DEFAULT) -> nn.Module:
    """A model of that name, its parameters drawn from the seed."""
    generator = torch.Generator().manual_seed(seed)
    model = MODELS[name](generator)
    if start.std is not None:
        initialize(model, std=start.std, generator=generator)
    return model


def draw_data(model: nn.Module, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Normal inputs and outputs of order one that depend on them."""
    generator = torch.Generator().manual_seed(100 + seed)
    x = torch.randn(n, *model.input_shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        outputs = model(x).shape[1]
    mix = torch.randn(x[0].numel(), outputs, generator=generator, dtype=torch.float64)
    return x, torch.sin(x.flatten(1) @ mix)


@functools.cache
def draw_problem(name: str, start: Start = DEFAULT, samples: tuple[int, ...] = SAMPLES) -> Problem:
    """A batch of runs of one architecture, one for each training set size."""
    problems = []
    for seed, n in enumerate(samples):
        model = draw_model(name, seed, start)
        x, y = draw_data(model, n + 4, seed)
        problems.append(
            Problem(
                model=model,
                params={k: p.detach().unsqueeze(0) for k, p in model.named_parameters()},
                x_train=x[None, :n],
                y_train=y[None, :n],
                n_train=torch.tensor([n]),
                x_test=x[None, n:],
                y_test=y[None, n:],
                seeds=torch.tensor([1000 + seed]),
            )
        )
    return Problem.stack(problems)


@functools.cache
def plain_runs(
    name: str, optimizer: GradientDescent | Adam, start: Start = DEFAULT
) -> list[PlainRun]:
    """The same batch by the plain loop, one run at a time."""
    results = []
    for seed, n in enumerate(SAMPLES):
        model = draw_model(name, seed, start)
        x, y = draw_data(model, n + 4, seed)
        results.append(train_alone(model, x[:n], y[:n], x[n:], y[n:], optimizer, seed=1000 + seed))
    return results


def assert_same_run(result: RunResult, plain: PlainRun, *, rtol: float = 1e-9) -> None:
    """The engine's run is the plain loop's: status, steps, losses, history, parameters."""
    assert (result.status, result.steps) == (plain.status, plain.steps)
    assert result.history.at.tolist() == plain.at
    for got, wanted in (
        ([result.train_mse, result.test_mse], [plain.train_mse, plain.test_mse]),
        (result.history.train_mse, plain.train_history),
        (result.history.test_mse, plain.test_history),
    ):
        np.testing.assert_allclose(got, wanted, rtol=rtol, atol=0)
    assert list(result.params) == list(plain.params)
    for key, wanted in plain.params.items():
        assert result.params[key].shape == wanted.shape
        assert (result.params[key] - wanted).norm() <= rtol * wanted.norm()
