"""Convolutional layers without weight sharing, for 1-d and 2-d inputs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from llr.errors import InvalidInputError, check_positive_int, check_shape
from llr.seeds import drawing_from

__all__ = ["LocallyConnected1D", "LocallyConnected2D", "check_convolution"]


def check_convolution(input_dim: int, width: int, kernel_size: int) -> None:
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
        check_convolution(input_dim, out_channels, kernel_size)
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
