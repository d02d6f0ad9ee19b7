"""Modules with everything that makes tangent matrices hard; one line registers one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import llr


@dataclass(frozen=True)
class Specimen:
    """A module, inputs of n samples, and how to run it on one of them."""

    name: str
    build: Callable[[], nn.Module]
    inputs: Callable[[int, torch.Generator], object]
    call: Callable[[nn.Module, object], Tensor] = field(default=lambda module, x: module(x))
    loops: bool = False

    def __repr__(self) -> str:
        return self.name


ZOO: dict[str, Specimen] = {}


def draw(*shape: int) -> Callable[[int, torch.Generator], Tensor]:
    return lambda n, source: torch.randn(n, *shape, generator=source, dtype=torch.float64)


def register(name: str, build: Callable[[], nn.Module], *shape: int, **options) -> None:
    ZOO[name] = Specimen(name, build, options.pop("inputs", draw(*shape)), **options)


class Reused(nn.Module):
    """One layer applied twice, then once more through a second module that shares its weight."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.out = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)
        self.b.weight = self.a.weight

    def forward(self, x):
        h = torch.tanh(self.a(x))
        return self.out(torch.tanh(self.b(torch.tanh(self.a(h)))))


class TiedTranspose(nn.Module):
    """An autoencoder whose decoder is the encoder's transpose: one use is no layer's."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(5, 2)
        self.bias = nn.Parameter(torch.randn(5))

    def forward(self, x):
        return torch.tanh(self.encoder(x)) @ self.encoder.weight + self.bias


class Residual(nn.Module):
    """Convolutions with in-place activations, BatchNorm, and an in-place shortcut."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(4, 3)
        with torch.no_grad():
            self.bn1.running_mean.normal_()
            self.bn1.running_var.uniform_(0.5, 2.0)
            self.bn1.weight.normal_()

    def forward(self, x):
        h = self.relu(self.bn1(self.conv1(x)))
        out = self.conv2(h)
        out += h
        return self.head(self.relu(out).mean((2, 3)))


class TwoInputs(nn.Module):
    """A model of keyword inputs with outputs by name."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(3, 4), nn.Linear(2, 4)
        self.out = nn.Linear(4, 2)

    def forward(self, left, right):
        h = torch.tanh(self.left(left) + self.right(right))
        return {"logits": self.out(h), "norm": h.square().sum(1)}


class OneDictionary(nn.Module):
    """A model that takes a dictionary as its one argument, tokens among it."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(7, 3)
        self.out = nn.Linear(4, 2)

    def forward(self, batch):
        h = torch.cat([self.table(batch["token"]).mean(1), batch["scalar"]], dim=1)
        return self.out(torch.sin(h))


class Branch(nn.Module):
    """A branch that depends on the data, which torch.func cannot transform."""

    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(3, 2), nn.Linear(3, 2)

    def forward(self, x):
        return self.up(x) if x.sum() > 0 else torch.tanh(self.down(x))


class LastAxisFirst(nn.Module):
    """A layer fed with its samples along the second axis of a square input."""

    def __init__(self):
        super().__init__()
        self.mix, self.out = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        h = torch.tanh(self.mix(x.transpose(0, 1))).transpose(0, 1)
        return self.out(h).flatten(1)


class DetachedUse(nn.Module):
    """A layer used once more without gradients."""

    def __init__(self):
        super().__init__()
        self.a, self.out = nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x):
        with torch.no_grad():
            gate = torch.sigmoid(self.a(x))
        return self.out(gate * F.linear(x, self.a.weight.detach()) + torch.tanh(self.a(x)))


class OverwrittenInput(nn.Module):
    """A layer's input is changed in place after use."""

    def __init__(self):
        super().__init__()
        self.first, self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        x.mul_(2.0)
        h = self.a(torch.exp(self.first(x)))
        h.tanh_()
        return self.b(h)


class Temperature(nn.Module):
    """A layer divided by one number, a parameter without axes."""

    def __init__(self):
        super().__init__()
        self.layer, self.temperature = nn.Linear(3, 2), nn.Parameter(torch.tensor(1.5))

    def forward(self, x):
        return torch.tanh(self.layer(x) / self.temperature)


def frozen() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    model[2].weight.requires_grad_(False)
    model[4].bias.requires_grad_(False)
    return model


def sequence_classifier() -> nn.Module:
    return nn.Sequential(
        nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True),
        nn.Flatten(),
        nn.Linear(12, 2),
    )


def convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, stride=2, bias=False),
        nn.GroupNorm(2, 4),
        nn.GELU(),
        nn.Conv2d(4, 4, 3, padding="same", groups=4),
        nn.SiLU(),
        nn.Conv2d(4, 6, (1, 2), dilation=(1, 2), padding="valid"),
        nn.Flatten(),
        nn.Linear(18, 2),
    )


def signals() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(2, 3, 3, padding=2, dilation=2),
        nn.Tanh(),
        nn.LayerNorm(7),
        nn.Conv1d(3, 2, 2, padding="same"),
        nn.Flatten(),
        nn.Linear(14, 2),
    )


register("reused layer and tied weight", Reused, 4)
register("tied transpose", TiedTranspose, 5)
register("residual block in eval mode", lambda: Residual().eval(), 2, 4, 4)
register("convolutions", convolutions, 2, 6, 6)
register("signals", signals, 2, 7)
register("layers along a sequence", lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh()), 5, 3)
register("transposed input", LastAxisFirst, 6, 4)
register("parameter without axes", Temperature, 3)
register("frozen parameters", frozen, 3)
register("use without gradient", DetachedUse, 3)
register("input changed in place", OverwrittenInput, 3)
register("weight norm", lambda: parametrizations.weight_norm(nn.Linear(3, 4)), 3)
register("spectral norm", lambda: parametrizations.spectral_norm(nn.Linear(3, 4)).eval(), 3)
register("attention", sequence_classifier, 3, 4)
register("bilinear", lambda: nn.Sequential(nn.Unflatten(1, (2, 3)), Pair()), 6)
register(
    "keyword inputs",
    TwoInputs,
    inputs=lambda n, g: {"left": draw(3)(n, g), "right": draw(2)(n, g)},
    call=lambda m, x: torch.cat([leaf.reshape(1, -1) for leaf in m(**x).values()], dim=1),
)
register(
    "positional inputs",
    TwoInputs,
    inputs=lambda n, g: (draw(3)(n, g), draw(2)(n, g)),
    call=lambda m, x: torch.cat([leaf.reshape(1, -1) for leaf in m(*x).values()], dim=1),
)
register(
    "dictionary with tokens",
    OneDictionary,
    inputs=lambda n, g: {"token": torch.randint(7, (n, 2), generator=g), "scalar": draw(1)(n, g)},
)
register("branch on data", Branch, 3, loops=True)
register("fully connected", lambda: llr.MLP(3, widths=[5, 4], output_dim=2, output_bias=True), 3)
register("shared convolution", lambda: llr.SharedTanhConv2D(5, width=2, kernel_size=3), 5, 5)
register("unshared convolution", lambda: llr.NoShareTanhConv1D(6, width=2, kernel_size=3), 6)
register("factorisation", lambda: llr.MatrixFactorization(3, 4, width=2), 7)


class Pair(nn.Module):
    """A bilinear layer of two halves of the input."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Bilinear(3, 3, 2)

    def forward(self, x):
        return self.layer(x[:, 0], x[:, 1])


def built(name: str, dtype: torch.dtype = torch.float64) -> nn.Module:
    """The specimen's module with parameters of its own, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ZOO[name].build().to(dtype)


def one_by_one(x: object) -> list:
    """The samples as batches of one."""
    if isinstance(x, dict):
        return [{k: v[i : i + 1] for k, v in x.items()} for i in range(len(next(iter(x.values()))))]
    if isinstance(x, tuple):
        return [tuple(v[i : i + 1] for v in x) for i in range(len(x[0]))]
    return [x[i : i + 1].clone() for i in range(len(x))]
