"""Two-layer convolutional tanh networks: the papers' architectures."""

from __future__ import annotations

import torch

from llr.models._convolution import (
    AbstractConvolution,
    NoShareConv1D,
    NoShareConv2D,
    SharedConv1D,
    SharedConv2D,
)
from llr.models._two_layer import AbstractTwoLayerTanh

__all__ = [
    "NoShareTanhConv1D",
    "NoShareTanhConv2D",
    "SharedTanhConv1D",
    "SharedTanhConv2D",
]


class _FixedTanh(AbstractConvolution):
    """A convolutional network whose activation is tanh and is not an option."""

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
        super().__init__(
            input_dim,
            width=width,
            kernel_size=kernel_size,
            hidden_bias=hidden_bias,
            output_bias=output_bias,
            dtype=dtype,
            device=device,
            generator=generator,
        )


class SharedTanhConv1D(_FixedTanh, SharedConv1D, AbstractTwoLayerTanh):
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


class SharedTanhConv2D(_FixedTanh, SharedConv2D, AbstractTwoLayerTanh):
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


class NoShareTanhConv1D(_FixedTanh, NoShareConv1D, AbstractTwoLayerTanh):
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


class NoShareTanhConv2D(_FixedTanh, NoShareConv2D, AbstractTwoLayerTanh):
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
