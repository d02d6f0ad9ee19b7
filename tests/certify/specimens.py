"""Networks that use every operation with a rule; one line registers one.

Each is small, and its inputs are drawn from the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import llr
from llr.certify._traced_program import Program, trace
from llr.models import initialize
from llr.seeds import generator
from llr.tangent import as_function, as_samples, map_samples


@dataclass(frozen=True)
class Specimen:
    """A module and its inputs."""

    name: str
    build: Callable[[], nn.Module]
    inputs: Callable[[int, torch.Generator], object]
    real: bool = True

    def __repr__(self) -> str:
        return self.name


SPECIMENS: dict[str, Specimen] = {}


def reals(*shape: int) -> Callable[[int, torch.Generator], Tensor]:
    """Standard normal inputs, multiples of 2^-16."""

    def draw(n: int, source: torch.Generator) -> Tensor:
        normal = torch.randn(n, *shape, generator=source, dtype=torch.float64)
        return (normal * 2**16).round() / 2**16

    return draw


def tokens(size: int, *shape: int) -> Callable[[int, torch.Generator], Tensor]:
    """Integers below ``size``."""
    return lambda n, source: torch.randint(size, (n, *shape), generator=source)


def register(
    name: str, build: Callable[[], nn.Module], *shape: int, inputs=None, real: bool = True
) -> None:
    """Add a specimen; names are unique."""
    if name in SPECIMENS:
        raise ValueError(f"specimen {name!r} is registered twice")
    SPECIMENS[name] = Specimen(name, build, inputs or reals(*shape), real)


def built(name: str) -> nn.Module:
    """The specimen's module in eval mode, with parameters of its own, in float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SPECIMENS[name].build().double().eval()


def samples(name: str, n: int, seed: int = 0) -> object:
    """The specimen's inputs."""
    return SPECIMENS[name].inputs(n, generator(seed, "test", name))


@cache
def traced(name: str) -> Program:
    """The specimen's program; tracing is the slow part."""
    function = as_function(built(name))
    one = map_samples(lambda leaf: leaf[:1], as_samples(samples(name, 2), function.device))
    return trace(function, one)


class Through(nn.Module):
    """A linear layer, a function, and a linear layer."""

    def __init__(self, function: Callable, d: int = 3, width: int = 4, out: int | None = None):
        super().__init__()
        self.first = nn.Linear(d, width)
        self.function = function
        size = function(torch.zeros(1, width)).shape[-1] if out is None else out
        self.last = nn.Linear(size, 2)

    def forward(self, x):
        return self.last(self.function(self.first(x)).flatten(1))


def function(name: str, f: Callable, d: int = 3, width: int = 4, out: int | None = None) -> None:
    """Register a function between two linear layers."""
    register(name, lambda: Through(f, d, width, out), d)


# Activations
_WITHOUT_ARGUMENTS = (
    *("ReLU", "LeakyReLU", "ELU", "CELU", "SELU", "GELU", "SiLU", "Mish", "Softplus", "ReLU6"),
    *("LogSigmoid", "Sigmoid", "Tanh", "Tanhshrink", "Softsign", "Softshrink", "Hardshrink"),
    *("Hardtanh", "Hardswish", "Hardsigmoid", "RReLU"),
)
for _name in _WITHOUT_ARGUMENTS:
    register(
        _name,
        lambda kind=_name: nn.Sequential(
            nn.Linear(3, 4), getattr(nn, kind)().eval(), nn.Linear(4, 2)
        ),
        3,
    )
register("GELU(tanh)", lambda: Through(nn.GELU("tanh")), 3)
register("Threshold", lambda: Through(nn.Threshold(0.1, 0.3)), 3)
register("PReLU", lambda: nn.Sequential(nn.Linear(3, 4), nn.PReLU(4), nn.Linear(4, 2)), 3)
register("PReLU of one slope", lambda: nn.Sequential(nn.Linear(3, 4), nn.PReLU()), 3)
register("GLU", lambda: Through(nn.GLU(), out=2), 3)
register("Softmax", lambda: Through(nn.Softmax(-1)), 3)
register("Softmin", lambda: Through(nn.Softmin(-1)), 3)
register("LogSoftmax", lambda: Through(nn.LogSoftmax(-1)), 3)
register("softplus of beta 3", lambda: Through(nn.Softplus(beta=3)), 3)
register("celu of alpha 0.3", lambda: Through(nn.CELU(0.3)), 3)
for _f in (torch.sin, torch.cos, torch.exp, torch.erf, torch.atan, torch.expm1, torch.erfc):
    function(_f.__name__, _f)
for _f in (torch.sinh, torch.cosh, torch.square, torch.abs, torch.tan):
    function(_f.__name__, _f)
function("log", lambda z: torch.log(z * z + 1))
function("log1p", lambda z: torch.log1p(z.square()))
function("sqrt", lambda z: torch.sqrt(z * z + 0.5))
function("rsqrt", lambda z: torch.rsqrt(z * z + 0.5))
function("reciprocal", lambda z: torch.reciprocal(z * z + 1.5))
function("cube", lambda z: z**3)
function("inverse square", lambda z: (z * z + 1) ** -2)
function("half power", lambda z: (z * z + 1) ** 1.5 + (z * z + 1) ** -0.5)
function("signs", lambda z: torch.sign(z) * z.square())

# Arithmetic
function("quotient", lambda z: z / (1.7 + z.square()) + 1 / (3 + z.square()) - z / 3)
function("addcmul", lambda z: torch.addcmul(z, z, z.sin(), value=0.3))
function("addcdiv", lambda z: torch.addcdiv(z, z, 2 + z.square(), value=0.3))
function("lerp", lambda z: torch.lerp(z, z.square(), 0.25))
function("rsub", lambda z: torch.rsub(z, 2.0, alpha=0.5) * z)
function("two uses", lambda z: z * z.sin() - 2 * z)
function("outer product", lambda z: torch.einsum("ni,nj->nij", z, z.tanh()).flatten(1), out=16)
function("determinant of a block", lambda z: z[:, :1] * z[:, 3:] - z[:, 1:2] * z[:, 2:3])
function("cumulative sum", lambda z: z.square().cumsum(-1))
register("products of parameters", lambda: _Products(), 3)
function(
    "batch of products",
    lambda z: torch.baddbmm(z[:, :, None], z[:, :, None], z[:, None], beta=2).flatten(1),
    out=16,
)
register("bilinear", lambda: nn.Sequential(nn.Unflatten(1, (2, 3)), _Pair()), 6)

# Reductions
function("mean", lambda z: z.square().mean(-1, keepdim=True))
function("sum", lambda z: z.sin().sum(-1, keepdim=True))
function("variance", lambda z: torch.var(z, -1, keepdim=True))
function("variance and mean", lambda z: torch.cat(torch.var_mean(z, -1, keepdim=True), -1))
function("standard deviation", lambda z: torch.std(z, -1, keepdim=True))
function("old norm", lambda z: torch.norm(z, dim=-1, keepdim=True))
function("norm", lambda z: z / torch.linalg.vector_norm(z, dim=-1, keepdim=True))
function("product", lambda z: z.prod(-1, keepdim=True))
function("logsumexp", lambda z: torch.logsumexp(z, -1, keepdim=True))

# Kinks
function("clamp", lambda z: z.clamp(-0.3, 0.4))
function("clamp below", lambda z: z.clamp_min(-0.3))
function("clamp above", lambda z: z.clamp_max(0.4))
function("maximum", lambda z: torch.maximum(z, 0.5 * z.flip(1)))
function("minimum", lambda z: torch.minimum(z, 0.5 * z.flip(1) + 0.1))
function("where", lambda z: torch.where(z > 0.1, z.sin(), z.square()))
function("where not", lambda z: torch.where(z <= 0.1, z.sin(), z.square()))
function("where less", lambda z: torch.where(z < 0.1, z.sin(), z.square()))
function("where at least", lambda z: torch.where(z >= 0.1, z.sin(), z.square()))
function("where and not", lambda z: torch.where(~(z > 0.1), z.sin(), z.square()))
function("masked fill", lambda z: z.masked_fill(z > 0.2, 0.7) * z)
function("amax", lambda z: z.amax(-1, keepdim=True))
function("amin", lambda z: z.amin(-1, keepdim=True))
function("max along", lambda z: z.max(-1, keepdim=True).values)
function("max of three", lambda z: z[:, :3].max(-1, keepdim=True).values, out=1)
function("min along", lambda z: z.min(-1, keepdim=True).values)

# Movement
function("flip and roll", lambda z: z.flip(1) * z.roll(1, 1))
function("stack", lambda z: torch.stack([z.sin(), z], 1).flatten(1), out=8)
function("split", lambda z: torch.cat([p * q for p, q in [z.split(2, 1)]], 1), out=2)
function("unbind", lambda z: z.unbind(1)[0][:, None] * z)
function("index", lambda z: z[:, [2, 0, 0]] * z[:, torch.tensor([1, 1, 3])], out=3)
function("select and slice", lambda z: z.select(1, 2)[:, None] * z[:, 1::2], out=2)
function("triangle", lambda z: (z[:, :, None] * z[:, None]).tril().flatten(1), out=16)
function("repeat", lambda z: z.repeat(1, 2) * z.sin().repeat_interleave(2, 1), out=8)
function(
    "gather",
    lambda z: z.gather(1, torch.tensor([[0, 2, 2]]).expand(len(z), 3)).square(),
    out=3,
)
function("index select", lambda z: z.index_select(1, torch.tensor([3, 0])).square(), out=2)
function("rotate", lambda z: z.reshape(-1, 2, 2).rot90(1, (1, 2)).flatten(1) * z)
function("upper triangle", lambda z: (z[:, :, None] * z[:, None]).triu(1).flatten(1), out=16)
function("filled", lambda z: z * torch.full_like(z, 0.5) + torch.ones_like(z), out=4)
function("written", lambda z: _written(z))
function("pad", lambda z: F.pad(z, (1, 2), value=0.5).square(), out=7)
function("unfold", lambda z: z.unfold(1, 2, 1).prod(-1), out=3)
function("diagonal", lambda z: (z[:, :, None] * z[:, None]).diagonal(dim1=1, dim2=2))
function("expand", lambda z: (z[:, None].expand(-1, 3, -1) * z[:, :3, None]).flatten(1), out=12)
function("constants", lambda z: z * torch.arange(4) + torch.linspace(0, 1, 4, dtype=z.dtype))


def _written(z: Tensor) -> Tensor:
    """Entries written one after the other."""
    out = z.new_zeros(z.shape)
    out[:, 0] = z[:, 1].sin()
    out[:, 2:] = z[:, :2].square()
    return out + z.new_ones(1) + z.new_full((1,), 0.25)


class _Products(nn.Module):
    """Products of a matrix and vectors of parameters."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(3, 3)), nn.Parameter(torch.randn(3))

    def forward(self, x):
        return x * torch.dot(self.b, self.b) + torch.addmv(self.b, self.a, self.b, alpha=2)


class _Pair(nn.Module):
    """A bilinear layer of two halves of the input."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Bilinear(3, 3, 2)

    def forward(self, x):
        return self.layer(x[:, 0], x[:, 1])


# Convolutions, pools, normalisations


def network(name: str, *layers: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    """Register layers in a row, the result flattened."""
    register(name, lambda: nn.Sequential(*(layer() for layer in layers), nn.Flatten()), *shape)


network("conv1d", lambda: nn.Conv1d(2, 3, 3, padding=2, dilation=2), nn.Tanh, shape=(2, 5))
network("conv2d", lambda: nn.Conv2d(2, 4, 3, 2, 1, groups=2), nn.Tanh, shape=(2, 4, 4))
network("conv3d", lambda: nn.Conv3d(1, 2, 2, bias=False), nn.Tanh, shape=(1, 2, 3, 3))
network(
    "transposed conv1d",
    lambda: nn.ConvTranspose1d(2, 2, 3, stride=2, padding=1, output_padding=1),
    nn.Tanh,
    shape=(2, 3),
)
network(
    "transposed conv2d",
    lambda: nn.ConvTranspose2d(2, 4, (2, 3), stride=(2, 1), groups=2, dilation=(1, 2)),
    nn.Tanh,
    shape=(2, 2, 2),
)
_conv = lambda: nn.Conv2d(1, 2, 2, padding=1)  # noqa: E731
network("max pool", _conv, lambda: nn.MaxPool2d(2, padding=1), shape=(1, 4, 4))
network("max pool of relu", _conv, nn.ReLU, lambda: nn.MaxPool2d(3, 1), shape=(1, 4, 4))
network("max pool 1d", lambda: nn.Conv1d(1, 2, 2), lambda: nn.MaxPool1d(3, 2), shape=(1, 8))
network("average pool", _conv, lambda: nn.AvgPool2d(2, padding=1), shape=(1, 4, 4))
network(
    "average pool without padding",
    _conv,
    lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
    shape=(1, 4, 4),
)
network(
    "average pool of a ceiling", _conv, lambda: nn.AvgPool2d(2, 2, ceil_mode=True), shape=(1, 4, 4)
)
network("average pool 1d", lambda: nn.Conv1d(1, 2, 2), lambda: nn.AvgPool1d(3, 2), shape=(1, 8))
network("adaptive pools", _conv, lambda: nn.AdaptiveAvgPool2d((2, 3)), shape=(1, 4, 4))
network(
    "pools 3d",
    lambda: nn.Conv3d(1, 2, 2),
    lambda: nn.AvgPool3d(2, 1),
    lambda: nn.MaxPool3d(2, 1),
    shape=(1, 4, 4, 4),
)
network(
    "adaptive pools 3d",
    lambda: nn.Conv3d(1, 1, 2),
    lambda: nn.AdaptiveAvgPool3d((2, 3, 2)),
    lambda: nn.AdaptiveMaxPool3d((2, 1, 1)),
    shape=(1, 4, 4, 4),
)
network(
    "adaptive pools 1d",
    lambda: nn.Conv1d(1, 2, 2),
    lambda: nn.AdaptiveAvgPool1d(4),
    lambda: nn.AdaptiveMaxPool1d(3),
    shape=(1, 8),
)
network(
    "pixel unshuffle", lambda: nn.PixelUnshuffle(2), lambda: nn.Conv2d(4, 1, 1), shape=(1, 4, 4)
)
network("patches", lambda: nn.Unfold(2), lambda: nn.Conv1d(4, 2, 1), nn.Tanh, shape=(1, 3, 3))
network("reflected 1d", lambda: nn.ReflectionPad1d(1), lambda: nn.Conv1d(1, 2, 2), shape=(1, 3))
network("replicated 1d", lambda: nn.ReplicationPad1d(1), lambda: nn.Conv1d(1, 2, 2), shape=(1, 3))
network(
    "padded 3d",
    lambda: nn.ReflectionPad3d(1),
    lambda: nn.Conv3d(1, 1, 2),
    nn.Tanh,
    lambda: nn.ReplicationPad3d(1),
    shape=(1, 2, 2, 2),
)
network("global pool", _conv, lambda: nn.AdaptiveAvgPool2d(1), shape=(1, 4, 4))
network("adaptive max pool", _conv, lambda: nn.AdaptiveMaxPool2d((2, 3)), shape=(1, 4, 4))
network("pixel shuffle", lambda: nn.Conv2d(1, 4, 2), lambda: nn.PixelShuffle(2), shape=(1, 3, 3))
network("reflected", lambda: nn.ReflectionPad2d(1), _conv, nn.Tanh, shape=(1, 2, 2))
network("replicated", lambda: nn.ReplicationPad2d(1), _conv, nn.Tanh, shape=(1, 2, 2))
network("circular", lambda: nn.CircularPad2d(1), _conv, nn.Tanh, shape=(1, 2, 2))
network("upsampled", lambda: nn.Upsample(scale_factor=2), _conv, nn.Tanh, shape=(1, 2, 2))
network(
    "bilinear upsampling",
    _conv,
    lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
    shape=(1, 2, 2),
)


def _batch_norm() -> nn.Module:
    norm = nn.BatchNorm2d(2)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2.0)
    return norm


network("batch norm", _conv, _batch_norm, nn.Tanh, shape=(1, 3, 3))
network("instance norm", _conv, lambda: nn.InstanceNorm2d(2, affine=True), shape=(1, 3, 3))
network("group norm", lambda: nn.Conv1d(2, 4, 2), lambda: nn.GroupNorm(2, 4), shape=(2, 4))
network("layer norm", lambda: nn.Linear(3, 4), lambda: nn.LayerNorm(4), nn.GELU, shape=(3,))
network("RMS norm", lambda: nn.Linear(3, 4), lambda: nn.RMSNorm(4), nn.GELU, shape=(3,))
network("RMS norm of an eps", lambda: nn.Linear(3, 4), lambda: nn.RMSNorm(4, 0.1), shape=(3,))
network(
    "local response norm",
    lambda: nn.Conv2d(1, 4, 2),
    lambda: nn.LocalResponseNorm(2, beta=0.5),
    shape=(1, 3, 3),
)
register(
    "weight norm",
    lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 4)), nn.Tanh()),
    3,
)
register(
    "spectral norm",
    lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(3, 4)).eval(), nn.Tanh()),
    3,
)


class _Residual(nn.Module):
    """Convolutions, a shortcut in place, and a pool."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
        self.norm, self.relu = nn.BatchNorm2d(2), nn.ReLU(inplace=True)
        self.head = nn.Linear(2, 2)

    def forward(self, x):
        h = self.relu(self.norm(self.conv1(x)))
        out = self.conv2(h)
        out += h
        return self.head(self.relu(out).mean((2, 3)))


register("residual block", _Residual, 1, 3, 3)


# Attention and sequences
class _Attention(nn.Module):
    """Causal self-attention by the fused function."""

    def __init__(self, masked: bool = False):
        super().__init__()
        self.qkv = nn.Linear(4, 12)
        self.register_buffer("mask", torch.full((3, 3), float("-inf")).triu(1) if masked else None)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        y = F.scaled_dot_product_attention(
            q, k, v, attn_mask=self.mask, is_causal=self.mask is None
        )
        return y.flatten(1)


register("causal attention", _Attention, 3, 4)
register("masked attention", lambda: _Attention(True), 3, 4)


class _Gpt(nn.Module):
    """Tokens, positions, and attention masked by a boolean buffer."""

    def __init__(self):
        super().__init__()
        self.token, self.position = nn.Embedding(5, 4), nn.Embedding(3, 4)
        self.key, self.query, self.out = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.register_buffer("seen", torch.ones(3, 3).tril().bool())

    def forward(self, t):
        x = self.token(t) + self.position(torch.arange(t.shape[1]))
        score = self.query(x) @ self.key(x).transpose(1, 2) / 2
        score = score.masked_fill(~self.seen, float("-inf"))
        return self.out(score.softmax(-1) @ x)[:, -1]


register("tokens", _Gpt, inputs=tokens(5, 3), real=False)


class _Words(nn.Module):
    """The mean of the embeddings of the tokens that are not padding."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 3)
        self.out = nn.Linear(3, 2)

    def forward(self, t):
        seen = (t != 0).unsqueeze(-1)
        return self.out(torch.where(seen, self.table(t), 0.0).sum(1).tanh())


register("padding tokens", _Words, inputs=tokens(5, 4), real=False)


class _OneHot(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(5, 2)

    def forward(self, t):
        return self.out(F.one_hot(t, 5).double().mean(1))


register("one-hot tokens", _OneHot, inputs=tokens(5, 4), real=False)
register(
    "encoder layer",
    lambda: nn.Sequential(
        nn.TransformerEncoderLayer(4, 2, 5, dropout=0.0, batch_first=True, activation="gelu"),
        nn.Flatten(),
        nn.Linear(8, 1),
    ),
    2,
    4,
)


class _Recurrent(nn.Module):
    """A recurrent layer and a linear one on its last state."""

    def __init__(self, layer: nn.Module, size: int):
        super().__init__()
        self.layer, self.out = layer, nn.Linear(size, 1)

    def forward(self, x):
        return self.out(self.layer(x)[0][:, -1])


register("LSTM", lambda: _Recurrent(nn.LSTM(2, 3, batch_first=True), 3), 3, 2)
register(
    "LSTM in both directions",
    lambda: _Recurrent(nn.LSTM(2, 2, 2, bidirectional=True, batch_first=True), 4),
    2,
    2,
)
register("GRU", lambda: _Recurrent(nn.GRU(2, 3, batch_first=True), 3), 3, 2)
register("RNN", lambda: _Recurrent(nn.RNN(2, 3, batch_first=True), 3), 3, 2)
register("RNN of relu", lambda: _Recurrent(nn.RNN(2, 3, 1, "relu", batch_first=True), 3), 3, 2)


class _Inputs(nn.Module):
    """Two inputs by name, two outputs by name."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(3, 4), nn.Linear(2, 4)
        self.out = nn.Linear(4, 2)

    def forward(self, left, right):
        h = torch.tanh(self.left(left) + self.right(right))
        return {"logits": self.out(h), "norm": h.square().sum(1)}


register(
    "inputs by name",
    _Inputs,
    inputs=lambda n, g: {"left": reals(3)(n, g), "right": reals(2)(n, g)},
)


def _frozen() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    model[2].weight.requires_grad_(False)
    model[4].bias.requires_grad_(False)
    return model


register("frozen parameters", _frozen, 3)

# The library's own
_GENERIC = {"generator": generator(0, "init")}
for _name, _build, _shape in [
    ("TwoLayerTanhMLP", lambda: llr.TwoLayerTanhMLP(3, width=3, output_bias=True), (3,)),
    ("SharedTanhConv1D", lambda: llr.SharedTanhConv1D(5, width=2, kernel_size=3), (5,)),
    ("SharedTanhConv2D", lambda: llr.SharedTanhConv2D(3, width=2, kernel_size=2), (3, 3)),
    ("NoShareTanhConv1D", lambda: llr.NoShareTanhConv1D(5, width=2, kernel_size=3), (5,)),
    ("NoShareTanhConv2D", lambda: llr.NoShareTanhConv2D(3, width=2, kernel_size=2), (3, 3)),
    (
        "LocallyConnected1D",
        lambda: llr.LocallyConnected1D(5, in_channels=2, out_channels=2, kernel_size=3),
        (2, 5),
    ),
    ("MatrixFactorization", lambda: llr.MatrixFactorization(3, 4, width=2), (7,)),
    ("DiagonalNetwork", lambda: llr.DiagonalNetwork(4, depth=3), (4,)),
    ("DifferenceOfSquares", lambda: llr.DifferenceOfSquares(4), (4,)),
    ("ToyLinear", llr.ToyLinear, (2,)),
    ("ToyNonlinear", llr.ToyNonlinear, (2,)),
    ("PaperTeacherMLP", llr.PaperTeacherMLP, (5,)),
]:
    register(
        _name,
        lambda build=_build: initialize(build(), std=1.0, generator=generator(0, "target")),
        *_shape,
    )
for _kind in ("tanh", "sigmoid", "relu", "gelu", "softplus", "erf", "sin", "identity"):
    register(
        f"MLP of {_kind}",
        lambda kind=_kind: initialize(
            llr.MLP(2, widths=[3, 2], output_dim=2, activation=kind),
            std=1.0,
            generator=generator(0, "target"),
        ),
        2,
    )
