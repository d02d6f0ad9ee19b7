"""Random small networks of known rank, at degenerate points too: truth by formulas or fractions."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import torch
from tests.reference.jacobian import jacobian_by_loops
from tests.reference.rational_rank import fractions_of, rational_rank
from tests.theory.activation_networks import random_network
from tests.theory.deep_networks import random_deep_network
from torch import Tensor, nn
from torch.nn import functional as F

import llr
from llr.errors import UnsupportedModuleError
from llr.models import Activation

ACTIVATIONS = get_args(Activation)


@dataclass(frozen=True)
class RandomCase:
    """A network, samples or none, and its exact rank.

    Attributes:
        kind: ``"two-layer"``, ``"deep"`` (model ranks, by formulas of the theory), ``"vectors"``,
            ``"images"`` or ``"tokens"`` (ranks on samples, by elimination of fractions).
    """

    kind: str
    model: nn.Module
    x: Tensor | None
    rank: int


def random_case(seed: int) -> RandomCase:
    """The network of a seed; its kind and its operations go round with it."""
    kind = ("two-layer", "deep", "vectors", "images", "tokens")[seed % 5]
    turn = seed // 5
    if kind == "two-layer":
        for shift in range(len(ACTIVATIONS)):
            model = random_network(ACTIVATIONS[(turn + shift) % len(ACTIVATIONS)], seed)
            try:
                return RandomCase(kind, model, None, llr.formal_rank(model))
            except UnsupportedModuleError:  # a family without a formula
                continue
    if kind == "deep" or kind == "two-layer":
        model = random_deep_network(seed).module(("tanh", "sigmoid")[turn % 2])
        return RandomCase("deep", model, None, llr.formal_rank(model))
    draw = random.Random(seed)
    model = {"vectors": _on_vectors, "images": _on_images, "tokens": _on_tokens}[kind](draw)
    model = model.double().eval()
    with torch.no_grad():
        for value in model.parameters():
            numbers = [draw.choice((-1.0, -0.5, 0.5, 0.75, 1.0)) for _ in range(value.numel())]
            value.copy_(torch.tensor(numbers, dtype=torch.float64).reshape(value.shape))
            if value.dim() > 1 and draw.random() < 0.5:  # a unit that is dead, or copies another
                i, j = draw.randrange(len(value)), draw.randrange(len(value))
                value[i] = draw.choice((0.0, 1.0)) * value[j]
    n = draw.randint(4, 9)
    if kind == "tokens":
        x = torch.tensor([[draw.randrange(5) for _ in range(3)] for _ in range(n)])
    else:
        shape = (3,) if kind == "vectors" else (2, 4, 4)
        size = torch.Size(shape).numel()
        # Odd multiples of 2^-7: no argument of a kink is zero by chance, and J is exact in float64.
        numbers = [(2 * draw.randrange(-100, 100) + 1) / 128 for _ in range(n * size)]
        x = torch.tensor(numbers, dtype=torch.float64).reshape(n, *shape)
    J = jacobian_by_loops(model, list(x.split(1)), lambda network, one: network(one))
    return RandomCase(kind, model, x, rational_rank(fractions_of(J.numpy())))


class Applied(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


POINTWISE: tuple[Callable[[], nn.Module], ...] = (
    nn.ReLU,
    lambda: nn.LeakyReLU(0.25),
    lambda: nn.Hardtanh(-0.75, 0.875),
    nn.ReLU6,
    lambda: nn.PReLU(init=0.25),
    lambda: nn.Threshold(0.375, -1.0),
    nn.Softshrink,
    nn.Hardshrink,
    nn.Identity,
    lambda: Applied(torch.abs),
    lambda: Applied(torch.square),
    lambda: Applied(lambda z: z.clamp(max=0.5)),
    lambda: Applied(lambda z: torch.maximum(z, 0.5 * z)),
    lambda: Applied(lambda z: torch.minimum(z, 0.25 - z)),
    lambda: Applied(lambda z: torch.where(z > 0.125, z, 2 * z)),
    lambda: Applied(lambda z: z * (z > 0)),
    lambda: Applied(lambda z: z.masked_fill(z > 0.5, 0.75)),
)
ALONG: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda z: z.cumsum(-1),
    lambda z: z * z.flip(1),
    lambda z: z.roll(1, 1) - z,
    lambda z: torch.cat([z[:, 1:], z[:, :1] * z[:, 1:2]], 1),
    lambda z: torch.stack([z, -z], 2).sum(2) + z,
    lambda z: z[:, [1, 0, 3, 2]],
    lambda z: z - z.amax(1, keepdim=True),
    lambda z: z + z.min(1, keepdim=True).values,
    lambda z: z - z.mean(1, keepdim=True),
    lambda z: z.unfold(1, 2, 1).sum(2).repeat(1, 2)[:, :4],
    lambda z: (z[:, :, None] * z[:, None, :]).diagonal(dim1=1, dim2=2),
    lambda z: torch.tril(z[:, :, None].expand(-1, 4, 4)).sum(1),
)


def _on_vectors(draw: random.Random) -> nn.Module:
    """Three inputs, four units, one or two layers, two outputs."""
    layers = [nn.Linear(3, 4, bias=draw.random() < 0.7), draw.choice(POINTWISE)()]
    if draw.random() < 0.7:
        layers.append(Applied(draw.choice(ALONG)))
    if draw.random() < 0.4:
        layers += [nn.Linear(4, 3), draw.choice((nn.ReLU, nn.Identity))()]
        return nn.Sequential(*layers, nn.Linear(3, 2))
    return nn.Sequential(*layers, nn.Linear(4, draw.choice((1, 2)), bias=draw.random() < 0.5))


IMAGE_LAYERS: tuple[Callable[[], nn.Module], ...] = (
    lambda: nn.Conv2d(2, 2, 2, stride=2),
    lambda: nn.Conv2d(2, 4, 3, padding=1, groups=2, stride=2),
    lambda: nn.Conv2d(2, 1, 2, dilation=2, bias=False),
    lambda: nn.Conv2d(2, 1, 3, padding=1, padding_mode="circular"),
    lambda: nn.Conv2d(2, 1, 3, padding=1, padding_mode="reflect"),
    lambda: nn.ConvTranspose2d(2, 1, 2, stride=2),
    lambda: nn.ConvTranspose2d(2, 2, 3, padding=1, groups=2),
    lambda: nn.Conv2d(2, 4, 1),
)
POOLS: tuple[Callable[[], nn.Module], ...] = (
    lambda: nn.AvgPool2d(2),
    lambda: nn.MaxPool2d(2),
    lambda: nn.MaxPool2d(2, stride=1),
    lambda: nn.AdaptiveAvgPool2d(1),
    lambda: nn.AdaptiveMaxPool2d(1),
    lambda: nn.Upsample(scale_factor=2),
    lambda: nn.ReplicationPad2d(1),
    lambda: nn.PixelUnshuffle(2),
    nn.Identity,
)


def _on_images(draw: random.Random) -> nn.Module:
    """A convolution, a pool and a linear layer on two channels of 4 x 4."""
    pool = draw.choice(POOLS)()
    layers = [draw.choice(IMAGE_LAYERS)(), draw.choice(POINTWISE)(), pool, nn.Flatten()]
    try:
        size = nn.Sequential(*layers)(torch.zeros(1, 2, 4, 4)).shape[1]
    except RuntimeError:  # the image is too small for this pool
        layers[2] = nn.Identity()
        size = nn.Sequential(*layers)(torch.zeros(1, 2, 4, 4)).shape[1]
    return nn.Sequential(*layers, nn.Linear(size, 1, bias=draw.random() < 0.5))


class _Tokens(nn.Module):
    """Embedded tokens, pooled."""

    def __init__(self, pooled: str, pointwise: nn.Module) -> None:
        super().__init__()
        self.table, self.pointwise, self.out = nn.Embedding(5, 2), pointwise, nn.Linear(2, 2)
        self.pooled = pooled

    def forward(self, t: Tensor) -> Tensor:
        z = self.table(t)
        if self.pooled == "product":
            z = z[:, 0] * z[:, 1] + z[:, 2]
        elif self.pooled == "masked":
            z = torch.where((t != 0).unsqueeze(2), z, 0.0).sum(1)
        elif self.pooled == "one-hot":
            z = F.one_hot(t, 5).to(z.dtype).sum(1)[:, :2] * z[:, 0]
        else:
            z = z.sum(1)
        return self.out(self.pointwise(z))


def _on_tokens(draw: random.Random) -> nn.Module:
    pooled = draw.choice(("sum", "product", "masked", "one-hot"))
    return _Tokens(pooled, draw.choice((nn.Identity, nn.ReLU, lambda: Applied(torch.square)))())
