"""Two-layer convolutional networks with and without weight sharing, for 1-d and 2-d inputs."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from llr.errors import check_choice
from llr.models._activations import ACTIVATIONS
from llr.models._locally_connected import (
    LocallyConnected1D,
    LocallyConnected2D,
    check_convolution,
)
from llr.models._two_layer import (
    AbstractTwoLayer,
    TwoLayerStructure,
    bias_names,
    convolution_windows,
)
from llr.seeds import drawing_from

__all__ = [
    "AbstractConvolution",
    "NoShareConv1D",
    "NoShareConv2D",
    "SharedConv1D",
    "SharedConv2D",
]


class AbstractConvolution(AbstractTwoLayer, ABC):
    """Hidden convolution of one input channel, activation, flatten, linear output.

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
        activation: str = "tanh",
        hidden_bias: bool = True,
        output_bias: bool = False,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_convolution(input_dim, width, kernel_size)
        self.activation = check_choice("activation", activation, tuple(ACTIVATIONS))
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
            activation=self.activation,
        )


class SharedConv1D(AbstractConvolution):
    """Two-layer convolutional network with shared weights on 1-d inputs.

    With K kernels of length s and p = d - s + 1 positions,

        f(x) = sum_{i=1..K} sum_{j=1..p} a_ij sigma(sum_{t=1..s} w_it x_{j+t-1} + b_i) + c,

    where ``hidden.weight`` is w (K, 1, s), ``hidden.bias`` b (K,), ``output.weight`` a, flattened
    kernel by kernel to (1, K p), and ``output.bias`` c (1,).

    Args:
        input_dim: d, length of the input.
        width: K, number of kernels.
        kernel_size: s, length of a kernel.
        activation: name of sigma, a key of ``ACTIVATIONS``.
        hidden_bias: whether each kernel has a bias (the papers' experiments: yes).
        output_bias: whether the output has a bias (the papers' experiments: no).
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for PyTorch's default initialisation; None: the global one.

    Raises:
        InvalidInputError: if a size is not a positive integer, the kernel exceeds the input, or
            the activation is unknown.

    Example:
        >>> model = SharedConv1D(5, width=10, kernel_size=3, activation="relu")
        >>> sum(p.numel() for p in model.parameters())
        70
    """

    n_axes, shared = 1, True

    def _hidden_layer(self, width: int, bias: bool, dtype: torch.dtype) -> nn.Module:
        return nn.Conv1d(1, width, self.kernel_size, bias=bias, dtype=dtype)


class SharedConv2D(AbstractConvolution):
    """Two-layer convolutional network with shared weights on square 2-d inputs.

    As :class:`SharedConv1D` with K kernels of shape (s, s) at (d - s + 1)^2 positions;
    inputs have shape (n, d, d), ``hidden.weight`` (K, 1, s, s).

    Args:
        input_dim: d, side of the input.
        width: K, number of kernels.
        kernel_size: s, side of a kernel.
        activation: name of sigma, a key of ``ACTIVATIONS``.
        hidden_bias: whether each kernel has a bias.
        output_bias: whether the output has a bias.
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for PyTorch's default initialisation; None: the global one.

    Raises:
        InvalidInputError: if a size is not a positive integer, the kernel exceeds the input, or
            the activation is unknown.

    Example:
        >>> model = SharedConv2D(28, width=1, kernel_size=3, activation="relu", hidden_bias=False)
        >>> sum(p.numel() for p in model.parameters())
        685
    """

    n_axes, shared = 2, True

    def _hidden_layer(self, width: int, bias: bool, dtype: torch.dtype) -> nn.Module:
        return nn.Conv2d(1, width, self.kernel_size, bias=bias, dtype=dtype)


class NoShareConv1D(AbstractConvolution):
    """Two-layer convolutional network without weight sharing on 1-d inputs.

    With K channels, kernels of length s and p = d - s + 1 positions,

        f(x) = sum_{i=1..K} sum_{j=1..p} a_ij sigma(sum_{t=1..s} w_ijt x_{j+t-1} + b_ij) + c,

    where ``hidden.weight`` is w (K, p, 1, s), ``hidden.bias`` b (K, p), ``output.weight`` a,
    flattened channel by channel to (1, K p), and ``output.bias`` c (1,).

    Args:
        input_dim: d, length of the input.
        width: K, number of channels.
        kernel_size: s, length of a kernel.
        activation: name of sigma, a key of ``ACTIVATIONS``.
        hidden_bias: whether each hidden neuron has a bias (the papers' experiments: yes).
        output_bias: whether the output has a bias (the papers' experiments: no).
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for PyTorch's default initialisation; None: the global one.

    Raises:
        InvalidInputError: if a size is not a positive integer, the kernel exceeds the input, or
            the activation is unknown.

    Example:
        >>> model = NoShareConv1D(5, width=10, kernel_size=3, activation="relu")
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


class NoShareConv2D(AbstractConvolution):
    """Two-layer convolutional network without weight sharing on square 2-d inputs.

    As :class:`NoShareConv1D` with kernels of shape (s, s) at (d - s + 1)^2 positions;
    inputs have shape (n, d, d), ``hidden.weight`` (K, p, p, 1, s, s).

    Args:
        input_dim: d, side of the input.
        width: K, number of channels.
        kernel_size: s, side of a kernel.
        activation: name of sigma, a key of ``ACTIVATIONS``.
        hidden_bias: whether each hidden neuron has a bias.
        output_bias: whether the output has a bias.
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for PyTorch's default initialisation; None: the global one.

    Raises:
        InvalidInputError: if a size is not a positive integer, the kernel exceeds the input, or
            the activation is unknown.

    Example:
        >>> model = NoShareConv2D(28, width=1, kernel_size=3, activation="relu", hidden_bias=False)
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
