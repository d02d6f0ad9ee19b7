"""Convolutional tanh networks with and without weight sharing, for 1-d and 2-d inputs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from llr.errors import InvalidInputError, check_positive_int, check_shape
from llr.models._two_layer import (
    AbstractTwoLayerTanh,
    TwoLayerStructure,
    bias_names,
    convolution_windows,
)
from llr.seeds import drawing_from

__all__ = [
    "LocallyConnected1D",
    "LocallyConnected2D",
    "NoShareTanhConv1D",
    "NoShareTanhConv2D",
    "SharedTanhConv1D",
    "SharedTanhConv2D",
]


def _check_convolution(input_dim: int, width: int, kernel_size: int) -> None:
    """Sizes of a convolution model."""
    check_positive_int("input_dim", input_dim)
    check_positive_int("width", width)
    check_positive_int("kernel_size", kernel_size)
    if kernel_size > input_dim:
        raise InvalidInputError(
            f"kernel_size must be at most input_dim = {input_dim}, got {kernel_size}."
        )


class _AbstractLocallyConnected(nn.Module, ABC):
    """A convolution without weight sharing over ``n_axes`` spatial axes.

    ``weight`` (out_channels, *positions, in_channels, *kernel), ``bias``
    (out_channels, *positions).
    """

    def __init__(
        self,
        n_axes: int,
        input_dim: int,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int,
        bias: bool,
        dtype: torch.dtype,
        device: torch.device | str | None,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        _check_convolution(input_dim, out_channels, kernel_size)
        check_positive_int("in_channels", in_channels)
        check_positive_int("stride", stride)
        self.n_axes, self.input_dim, self.kernel_size = n_axes, input_dim, kernel_size
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        positions = ((input_dim - kernel_size) // stride + 1,) * n_axes
        kernel = (kernel_size,) * n_axes
        self.weight = nn.Parameter(
            torch.empty(out_channels, *positions, in_channels, *kernel, dtype=dtype)
        )
        self.bias = (
            nn.Parameter(torch.empty(out_channels, *positions, dtype=dtype)) if bias else None
        )
        with drawing_from(generator):
            self.reset_parameters()
        self.to(device)

    @abstractmethod
    def _pattern(self) -> str:
        """The einsum of one position's inner products."""

    def reset_parameters(self) -> None:
        """Uniform in +-1/sqrt(fan in), the default of PyTorch's convolutions."""
        bound = 1 / math.sqrt(self.in_channels * self.kernel_size**self.n_axes)
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (n, out_channels, *positions) at inputs (n, in_channels, *input)."""
        check_shape("input", x.shape, ("n", self.in_channels, *[self.input_dim] * self.n_axes))
        for axis in range(self.n_axes):
            x = x.unfold(2 + axis, self.kernel_size, self.stride)
        out = torch.einsum(self._pattern(), x, self.weight)
        return out if self.bias is None else out + self.bias

    def extra_repr(self) -> str:
        """Sizes, for ``print``."""
        return (
            f"{self.in_channels}, {self.out_channels}, input_dim={self.input_dim}, "
            f"kernel_size={self.kernel_size}, stride={self.stride}, bias={self.bias is not None}"
        )


class LocallyConnected1D(_AbstractLocallyConnected):
    """1-d convolution without weight sharing: each position has its own kernel.

    With p = (d - s) // stride + 1 positions,

        y_oj = sum_{i=1..C_in} sum_{t=1..s} w_ojit x_{i, stride*(j-1)+t} + b_oj,

    where ``weight`` is w (out_channels, p, in_channels, s) and ``bias`` b (out_channels, p).

    Args:
        input_dim: d, length of the input.
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: s, length of a kernel.
        stride: step from one position to the next.
        bias: whether each output has a bias.
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for the initialisation; None: the global one.

    Raises:
        InvalidInputError: if a size is not a positive integer or the kernel exceeds the input.

    Example:
        >>> layer = LocallyConnected1D(5, in_channels=2, out_channels=4, kernel_size=3)
        >>> layer(torch.zeros(7, 2, 5, dtype=torch.float64)).shape
        torch.Size([7, 4, 3])
    """

    def __init__(
        self,
        input_dim: int,
        *,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        bias: bool = True,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            1,
            input_dim,
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            bias=bias,
            dtype=dtype,
            device=device,
            generator=generator,
        )

    def _pattern(self) -> str:
        return "nips,opis->nop"


class LocallyConnected2D(_AbstractLocallyConnected):
    """2-d convolution without weight sharing on square inputs, kernels and steps.

    As :class:`LocallyConnected1D`, with ``weight``
    (out_channels, p, p, in_channels, s, s) and ``bias`` (out_channels, p, p).

    Args:
        input_dim: d, side of the input.
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: s, side of a kernel.
        stride: step from one position to the next, on both axes.
        bias: whether each output has a bias.
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for the initialisation; None: the global one.

    Raises:
        InvalidInputError: if a size is not a positive integer or the kernel exceeds the input.

    Example:
        >>> layer = LocallyConnected2D(5, in_channels=1, out_channels=4, kernel_size=3)
        >>> layer(torch.zeros(7, 1, 5, 5, dtype=torch.float64)).shape
        torch.Size([7, 4, 3, 3])
    """

    def __init__(
        self,
        input_dim: int,
        *,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        bias: bool = True,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            2,
            input_dim,
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            bias=bias,
            dtype=dtype,
            device=device,
            generator=generator,
        )

    def _pattern(self) -> str:
        return "nipqst,opqist->nopq"


class _AbstractTanhConvolution(AbstractTwoLayerTanh, ABC):
    """Hidden convolution of one input channel, tanh, flatten, linear output.

    Subclasses say how many spatial axes there are and whether kernels are shared.
    """

    n_axes: int
    shared: bool

    def __init__(
        self,
        input_dim: int,
        *,
        width: int,
        kernel_size: int,
        hidden_bias: bool = True,
        output_bias: bool = False,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        _check_convolution(input_dim, width, kernel_size)
        self.input_dim, self.kernel_size = input_dim, kernel_size
        positions = (input_dim - kernel_size + 1) ** self.n_axes
        with drawing_from(generator):
            self.hidden = self._hidden_layer(width, hidden_bias, dtype)
            self.output = nn.Linear(width * positions, 1, bias=output_bias, dtype=dtype)
        self.to(device)

    @abstractmethod
    def _hidden_layer(self, width: int, bias: bool, dtype: torch.dtype) -> nn.Module:
        """The convolution, drawn from the global generator."""

    def _hidden_input(self, x: Tensor) -> Tensor:
        return x.unsqueeze(1)

    @property
    def structure(self) -> TwoLayerStructure:
        """How the parameters make the hidden units."""
        weight = self.hidden.weight
        assert isinstance(weight, Tensor)
        shape = (self.input_dim,) * self.n_axes
        return TwoLayerStructure(
            input_shape=shape,
            windows=convolution_windows(shape, self.kernel_size),
            channels=weight.shape[0],
            shared=self.shared,
            names=bias_names(self.hidden.bias is not None, self.output.bias is not None),
            kernels_shape=tuple(weight.shape),
            bias_shape=tuple(weight.shape[: 1 if self.shared else 1 + self.n_axes]),
        )


class SharedTanhConv1D(_AbstractTanhConvolution):
    """Two-layer tanh convolutional network with shared weights on 1-d inputs.

    With K kernels of length s and p = d - s + 1 positions,

        f(x) = sum_{i=1..K} sum_{j=1..p} a_ij tanh(sum_{t=1..s} w_it x_{j+t-1} + b_i) + c,

    where ``hidden.weight`` is w (K, 1, s), ``hidden.bias`` b (K,), ``output.weight`` a, flattened
    kernel by kernel to (1, K p), and ``output.bias`` c (1,).

    Args:
        input_dim: d, length of the input.
        width: K, number of kernels.
        kernel_size: s, length of a kernel.
        hidden_bias: whether each kernel has a bias (the papers' experiments: yes).
        output_bias: whether the output has a bias (the papers' experiments: no).
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for PyTorch's default initialisation; None: the global one.

    Raises:
        InvalidInputError: if a size is not a positive integer or the kernel exceeds the input.

    References:
        Zhang et al., JMLR 26(69), 2025, Section 5 and Theorem 5.

    Example:
        >>> model = SharedTanhConv1D(5, width=10, kernel_size=3)
        >>> sum(p.numel() for p in model.parameters())
        70
    """

    n_axes, shared = 1, True

    def _hidden_layer(self, width: int, bias: bool, dtype: torch.dtype) -> nn.Module:
        return nn.Conv1d(1, width, self.kernel_size, bias=bias, dtype=dtype)


class SharedTanhConv2D(_AbstractTanhConvolution):
    """Two-layer tanh convolutional network with shared weights on square 2-d inputs.

    As :class:`SharedTanhConv1D` with K kernels of shape (s, s) at (d - s + 1)^2 positions;
    inputs have shape (n, d, d), ``hidden.weight`` (K, 1, s, s).

    Args:
        input_dim: d, side of the input.
        width: K, number of kernels.
        kernel_size: s, side of a kernel.
        hidden_bias: whether each kernel has a bias.
        output_bias: whether the output has a bias.
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for PyTorch's default initialisation; None: the global one.

    Raises:
        InvalidInputError: if a size is not a positive integer or the kernel exceeds the input.

    References:
        Zhang et al., JMLR 26(69), 2025, Theorem 5.

    Example:
        >>> model = SharedTanhConv2D(28, width=1, kernel_size=3, hidden_bias=False)
        >>> sum(p.numel() for p in model.parameters())
        685
    """

    n_axes, shared = 2, True

    def _hidden_layer(self, width: int, bias: bool, dtype: torch.dtype) -> nn.Module:
        return nn.Conv2d(1, width, self.kernel_size, bias=bias, dtype=dtype)


class NoShareTanhConv1D(_AbstractTanhConvolution):
    """Two-layer tanh convolutional network without weight sharing on 1-d inputs.

    With K channels, kernels of length s and p = d - s + 1 positions,

        f(x) = sum_{i=1..K} sum_{j=1..p} a_ij tanh(sum_{t=1..s} w_ijt x_{j+t-1} + b_ij) + c,

    where ``hidden.weight`` is w (K, p, 1, s), ``hidden.bias`` b (K, p), ``output.weight`` a,
    flattened channel by channel to (1, K p), and ``output.bias`` c (1,).

    Args:
        input_dim: d, length of the input.
        width: K, number of channels.
        kernel_size: s, length of a kernel.
        hidden_bias: whether each hidden neuron has a bias (the papers' experiments: yes).
        output_bias: whether the output has a bias (the papers' experiments: no).
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for PyTorch's default initialisation; None: the global one.

    Raises:
        InvalidInputError: if a size is not a positive integer or the kernel exceeds the input.

    References:
        Zhang et al., JMLR 26(69), 2025, Section 5 and Theorem 6.

    Example:
        >>> model = NoShareTanhConv1D(5, width=10, kernel_size=3)
        >>> sum(p.numel() for p in model.parameters())
        150
    """

    n_axes, shared = 1, False

    def _hidden_layer(self, width: int, bias: bool, dtype: torch.dtype) -> nn.Module:
        return LocallyConnected1D(
            self.input_dim,
            in_channels=1,
            out_channels=width,
            kernel_size=self.kernel_size,
            bias=bias,
            dtype=dtype,
        )


class NoShareTanhConv2D(_AbstractTanhConvolution):
    """Two-layer tanh convolutional network without weight sharing on square 2-d inputs.

    As :class:`NoShareTanhConv1D` with kernels of shape (s, s) at (d - s + 1)^2 positions;
    inputs have shape (n, d, d), ``hidden.weight`` (K, p, p, 1, s, s).

    Args:
        input_dim: d, side of the input.
        width: K, number of channels.
        kernel_size: s, side of a kernel.
        hidden_bias: whether each hidden neuron has a bias.
        output_bias: whether the output has a bias.
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for PyTorch's default initialisation; None: the global one.

    Raises:
        InvalidInputError: if a size is not a positive integer or the kernel exceeds the input.

    References:
        Zhang et al., JMLR 26(69), 2025, Theorem 6.

    Example:
        >>> model = NoShareTanhConv2D(28, width=1, kernel_size=3, hidden_bias=False)
        >>> sum(p.numel() for p in model.parameters())
        6760
    """

    n_axes, shared = 2, False

    def _hidden_layer(self, width: int, bias: bool, dtype: torch.dtype) -> nn.Module:
        return LocallyConnected2D(
            self.input_dim,
            in_channels=1,
            out_channels=width,
            kernel_size=self.kernel_size,
            bias=bias,
            dtype=dtype,
        )
