"""Activations by name: function, derivative, and the modules that compute them.

One row per activation. Whatever else knows activations (exact ranks, compiled kernels) is keyed by
these names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from llr.errors import check_choice

__all__ = ["ACTIVATIONS", "ActivationFunction", "Pointwise", "activation_of"]

ElementwiseFunction: TypeAlias = Callable[[Tensor], Tensor]

_SQRT_HALF, _INVERSE_SQRT_2PI = math.sqrt(0.5), 1 / math.sqrt(2 * math.pi)
_GELU_SCALE, _GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@dataclass(frozen=True)
class ActivationFunction:
    """One activation sigma.

    Attributes:
        name: its name in configs, in ``llr.models.MLP`` and wherever else it is known.
        function: sigma, element by element.
        derivative: sigma', element by element; at a kink the value that PyTorch's automatic
            differentiation takes.
        modules: classes of PyTorch modules that compute it, each with the options that they must
            have.
    """

    name: str
    function: ElementwiseFunction
    derivative: ElementwiseFunction
    modules: Mapping[type[nn.Module], Mapping[str, Any]] = field(default_factory=dict)


def _identity(z: Tensor) -> Tensor:
    return z


def _sigmoid_slope(z: Tensor) -> Tensor:
    s = torch.sigmoid(z)
    return s * (1 - s)


def _silu_slope(z: Tensor) -> Tensor:
    s = torch.sigmoid(z)
    return s * (1 + z * (1 - s))


def _gelu_slope(z: Tensor) -> Tensor:
    cdf = 0.5 * (1 + torch.erf(z * _SQRT_HALF))
    return cdf + z * _INVERSE_SQRT_2PI * torch.exp(-0.5 * z.square())


def _gelu_tanh(z: Tensor) -> Tensor:
    return functional.gelu(z, approximate="tanh")


def _gelu_tanh_slope(z: Tensor) -> Tensor:
    t = torch.tanh(_GELU_SCALE * (z + _GELU_CUBIC * z**3))
    inner = _GELU_SCALE * (1 + 3 * _GELU_CUBIC * z.square())
    return 0.5 * (1 + t) + 0.5 * z * (1 - t.square()) * inner


def _mish_slope(z: Tensor) -> Tensor:
    t = torch.tanh(functional.softplus(z))
    return t + z * (1 - t.square()) * torch.sigmoid(z)


def _between(z: Tensor, low: float, high: float) -> Tensor:
    """1 where low < z < high, 0 elsewhere."""
    return ((z > low) & (z < high)).to(z.dtype)


def _exponential_slope(z: Tensor, scale: float, alpha: float) -> Tensor:
    """The derivative of scale * (z, or alpha (e^z - 1) where z <= 0)."""
    return scale * torch.where(z > 0, 1.0, alpha * torch.exp(z.clamp(max=0)))


def _hardswish_slope(z: Tensor) -> Tensor:
    inside = torch.where(z < 3, z / 3 + 0.5, 1.0)
    return torch.where(z <= -3, 0.0, inside)


_DEFAULT: Mapping[str, Any] = {}

_ROWS = (
    ActivationFunction(
        "tanh", torch.tanh, lambda z: 1 - torch.tanh(z).square(), {nn.Tanh: _DEFAULT}
    ),
    ActivationFunction("sigmoid", torch.sigmoid, _sigmoid_slope, {nn.Sigmoid: _DEFAULT}),
    ActivationFunction("arctan", torch.atan, lambda z: 1 / (1 + z.square())),
    ActivationFunction(
        "erf",
        torch.erf,
        lambda z: 2 / math.sqrt(math.pi) * torch.exp(-z.square()),
    ),
    ActivationFunction(
        "softsign",
        functional.softsign,
        lambda z: (1 + z.abs()).square().reciprocal(),
        {nn.Softsign: _DEFAULT},
    ),
    ActivationFunction(
        "tanhshrink",
        functional.tanhshrink,
        lambda z: torch.tanh(z).square(),
        {nn.Tanhshrink: _DEFAULT},
    ),
    ActivationFunction(
        "rational",
        lambda z: z / (1 + z.square()),
        lambda z: (1 - z.square()) / (1 + z.square()).square(),
    ),
    ActivationFunction(
        "softplus",
        functional.softplus,
        lambda z: torch.where(z > 20, 1.0, torch.sigmoid(z)),
        {nn.Softplus: {"beta": 1, "threshold": 20}},
    ),
    ActivationFunction(
        "logsigmoid",
        functional.logsigmoid,
        lambda z: torch.sigmoid(-z),
        {nn.LogSigmoid: _DEFAULT},
    ),
    ActivationFunction("silu", functional.silu, _silu_slope, {nn.SiLU: _DEFAULT}),
    ActivationFunction("gelu", functional.gelu, _gelu_slope, {nn.GELU: {"approximate": "none"}}),
    ActivationFunction(
        "gelu_tanh", _gelu_tanh, _gelu_tanh_slope, {nn.GELU: {"approximate": "tanh"}}
    ),
    ActivationFunction("mish", functional.mish, _mish_slope, {nn.Mish: _DEFAULT}),
    ActivationFunction("relu", torch.relu, lambda z: (z > 0).to(z.dtype), {nn.ReLU: _DEFAULT}),
    ActivationFunction(
        "leaky_relu",
        functional.leaky_relu,
        lambda z: torch.where(z > 0, torch.ones_like(z), 0.01),
        {nn.LeakyReLU: {"negative_slope": 0.01}},
    ),
    ActivationFunction("abs", torch.abs, torch.sign),
    ActivationFunction(
        "hardtanh",
        functional.hardtanh,
        lambda z: _between(z, -1, 1),
        {nn.Hardtanh: {"min_val": -1.0, "max_val": 1.0}},
    ),
    ActivationFunction(
        "relu6", functional.relu6, lambda z: _between(z, 0, 6), {nn.ReLU6: _DEFAULT}
    ),
    ActivationFunction(
        "hardsigmoid",
        functional.hardsigmoid,
        lambda z: _between(z, -3, 3) / 6,
        {nn.Hardsigmoid: _DEFAULT},
    ),
    ActivationFunction(
        "hardswish", functional.hardswish, _hardswish_slope, {nn.Hardswish: _DEFAULT}
    ),
    ActivationFunction(
        "softshrink",
        functional.softshrink,
        lambda z: (z.abs() > 0.5).to(z.dtype),
        {nn.Softshrink: {"lambd": 0.5}},
    ),
    ActivationFunction(
        "elu",
        functional.elu,
        lambda z: _exponential_slope(z, 1.0, 1.0),
        {nn.ELU: {"alpha": 1.0}},
    ),
    ActivationFunction(
        "celu",
        functional.celu,
        lambda z: _exponential_slope(z, 1.0, 1.0),
        {nn.CELU: {"alpha": 1.0}},
    ),
    ActivationFunction(
        "selu",
        functional.selu,
        lambda z: _exponential_slope(z, _SELU_SCALE, _SELU_ALPHA),
        {nn.SELU: _DEFAULT},
    ),
    ActivationFunction("sin", torch.sin, torch.cos),
    ActivationFunction("cos", torch.cos, lambda z: -torch.sin(z)),
    ActivationFunction("exp", torch.exp, torch.exp),
    ActivationFunction(
        "gaussian", lambda z: torch.exp(-z.square()), lambda z: -2 * z * torch.exp(-z.square())
    ),
    ActivationFunction("square", torch.square, lambda z: 2 * z),
    ActivationFunction("cube", lambda z: z**3, lambda z: 3 * z.square()),
    ActivationFunction("identity", _identity, torch.ones_like, {nn.Identity: _DEFAULT}),
)

ACTIVATIONS: dict[str, ActivationFunction] = {row.name: row for row in _ROWS}
"""The rows by name."""


class Pointwise(nn.Module):
    """An activation as a module, for ``nn.Sequential``: those that PyTorch has no module for.

    Args:
        name: a name of ``ACTIVATIONS``, for example ``"sin"``, ``"erf"``, ``"gaussian"``,
            ``"square"``.

    Raises:
        InvalidInputError: if the name is unknown.

    Example:
        >>> Pointwise("square")(torch.tensor([1.0, 2.0, 3.0])).tolist()
        [1.0, 4.0, 9.0]
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name: str = check_choice("activation", name, tuple(ACTIVATIONS))

    def forward(self, z: Tensor) -> Tensor:
        """The activation of each element."""
        return ACTIVATIONS[self.name].function(z)

    def extra_repr(self) -> str:
        """The name, for ``print``."""
        return repr(self.name)


def activation_of(module: nn.Module) -> ActivationFunction | None:
    """The activation that a module computes, or None if it is not one of ``ACTIVATIONS``.

    Args:
        module: any module; subclasses, and modules with other options than the row states, are not
            recognised.

    Returns:
        Its row.

    Example:
        >>> activation_of(nn.GELU(approximate="tanh")).name
        'gelu_tanh'
        >>> activation_of(nn.Softplus(beta=2)) is None
        True
    """
    if type(module) is Pointwise:
        return ACTIVATIONS[module.name]
    for row in ACTIVATIONS.values():
        options = row.modules.get(type(module))
        if options is not None and all(getattr(module, k) == v for k, v in options.items()):
            return row
    return None
