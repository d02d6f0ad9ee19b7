"""Fully connected networks: two-layer tanh, the papers' teacher, and any depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from llr.errors import InvalidInputError, check_choice, check_positive_int
from llr.models._activations import ACTIVATIONS
from llr.models._two_layer import (
    AbstractTwoLayer,
    AbstractTwoLayerTanh,
    TwoLayerStructure,
    fully_connected_structure,
)
from llr.seeds import drawing_from

__all__ = ["MLP", "Activation", "PaperTeacherMLP", "TwoLayerMLP", "TwoLayerTanhMLP"]

Activation = Literal[
    "tanh",
    "sigmoid",
    "arctan",
    "erf",
    "softsign",
    "tanhshrink",
    "rational",
    "softplus",
    "logsigmoid",
    "silu",
    "gelu",
    "gelu_tanh",
    "mish",
    "relu",
    "leaky_relu",
    "abs",
    "hardtanh",
    "relu6",
    "hardsigmoid",
    "hardswish",
    "softshrink",
    "elu",
    "celu",
    "selu",
    "sin",
    "cos",
    "exp",
    "gaussian",
    "square",
    "cube",
    "identity",
]
"""The names of ``ACTIVATIONS``."""

PAPER_KERNEL = (0.6, 0.8, 1.0)
"""The kernel of the papers' target (JMLR 26, Eq. 8)."""


class TwoLayerMLP(AbstractTwoLayer):
    """Two-layer fully connected network with any activation.

    With d inputs, m hidden neurons and the activation sigma,

        f(x) = sum_{i=1..m} a_i sigma(sum_{t=1..d} w_it x_t + b_i) + c,

    where ``hidden.weight`` is w (m, d), ``hidden.bias`` b (m,), ``output.weight`` a (1, m) and
    ``output.bias`` c (1,). A bias that is switched off does not exist as a parameter.

    Args:
        input_dim: d, number of inputs.
        width: m, number of hidden neurons.
        activation: name of sigma, a key of ``ACTIVATIONS``.
        hidden_bias: whether hidden neurons have a bias (the papers' experiments: yes).
        output_bias: whether the output has a bias (the papers' experiments: no).
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for PyTorch's default initialisation; None draws from the
            global one, as PyTorch's own layers do.

    Raises:
        InvalidInputError: if a size is not a positive integer or the activation is unknown.

    Example:
        >>> model = TwoLayerMLP(5, width=3, activation="silu")
        >>> model(torch.zeros(7, 5, dtype=torch.float64)).shape
        torch.Size([7, 1])
    """

    def __init__(
        self,
        input_dim: int,
        *,
        width: int,
        activation: Activation | str = "tanh",
        hidden_bias: bool = True,
        output_bias: bool = False,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_positive_int("input_dim", input_dim)
        check_positive_int("width", width)
        self.activation = check_choice("activation", activation, tuple(ACTIVATIONS))
        with drawing_from(generator):
            self.hidden = nn.Linear(input_dim, width, bias=hidden_bias, dtype=dtype)
            self.output = nn.Linear(width, 1, bias=output_bias, dtype=dtype)
        self.to(device)

    @property
    def structure(self) -> TwoLayerStructure:
        """How the parameters make the hidden units."""
        assert isinstance(self.hidden, nn.Linear)
        return fully_connected_structure(
            self.hidden,
            self.output,
            prefixes=("hidden", "output"),
            activation=self.activation,
        )


class TwoLayerTanhMLP(TwoLayerMLP, AbstractTwoLayerTanh):
    """Two-layer fully connected tanh network.

    With d inputs and m hidden neurons,

        f(x) = sum_{i=1..m} a_i tanh(sum_{t=1..d} w_it x_t + b_i) + c,

    where ``hidden.weight`` is w (m, d), ``hidden.bias`` b (m,), ``output.weight`` a (1, m) and
    ``output.bias`` c (1,). A bias that is switched off does not exist as a parameter.

    Args:
        input_dim: d, number of inputs.
        width: m, number of hidden neurons.
        hidden_bias: whether hidden neurons have a bias (the papers' experiments: yes).
        output_bias: whether the output has a bias (the papers' experiments: no).
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for PyTorch's default initialisation; None draws from the
            global one, as PyTorch's own layers do.

    Raises:
        InvalidInputError: if a size is not a positive integer.

    References:
        Zhang et al., JMLR 26(69), 2025, Section 3 and Theorem 4.

    Example:
        >>> model = TwoLayerTanhMLP(5, width=3, generator=torch.Generator().manual_seed(0))
        >>> model(torch.zeros(7, 5, dtype=torch.float64)).shape
        torch.Size([7, 1])
    """

    def __init__(
        self,
        input_dim: int,
        *,
        width: int,
        hidden_bias: bool = True,
        output_bias: bool = False,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            input_dim,
            width=width,
            hidden_bias=hidden_bias,
            output_bias=output_bias,
            dtype=dtype,
            device=device,
            generator=generator,
        )


class PaperTeacherMLP(AbstractTwoLayerTanh):
    """The papers' target, as a fully connected network with fixed weights.

    With d inputs,

        f*(x) = sum_{i=1..d-2} tanh(0.6 x_i + 0.8 x_{i+1} + x_{i+2}).

    Biases, where asked for, are zero: the function is the same in all four bias settings, its
    optimistic sample size is not.

    Args:
        input_dim: d, at least 3 (the papers: 5).
        hidden_bias: whether hidden neurons carry a (zero) bias parameter.
        output_bias: whether the output carries a (zero) bias parameter.
        dtype: of the parameters.
        device: of the parameters.

    Raises:
        InvalidInputError: if ``input_dim`` is below 3.

    References:
        Zhang et al., JMLR 26(69), 2025, Eq. (8).

    Example:
        >>> teacher = PaperTeacherMLP()
        >>> round(teacher(torch.ones(1, 5, dtype=torch.float64)).item(), 6)
        2.951025
    """

    def __init__(
        self,
        input_dim: int = 5,
        *,
        hidden_bias: bool = False,
        output_bias: bool = False,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        size = len(PAPER_KERNEL)
        check_positive_int("input_dim", input_dim, minimum=size)
        width = input_dim - size + 1
        with drawing_from(torch.Generator()):
            hidden = nn.Linear(input_dim, width, bias=hidden_bias, dtype=dtype)
            output = nn.Linear(width, 1, bias=output_bias, dtype=dtype)
        with torch.no_grad():
            for parameter in (*hidden.parameters(), *output.parameters()):
                parameter.zero_()
            for i in range(width):
                hidden.weight[i, i : i + size] = torch.tensor(PAPER_KERNEL, dtype=dtype)
            output.weight.fill_(1.0)
        self.hidden, self.output = hidden, output
        self.to(device)

    @property
    def structure(self) -> TwoLayerStructure:
        """How the parameters make the hidden units."""
        assert isinstance(self.hidden, nn.Linear)
        return fully_connected_structure(self.hidden, self.output, prefixes=("hidden", "output"))


class MLP(nn.Module):
    """Fully connected network of any depth.

    With widths m_1..m_{L-1}, activation sigma, x^[0] = x,

        x^[l] = sigma(W^[l] x^[l-1] + b^[l])  for l = 1..L-1,    f(x) = W^[L] x^[L-1] + b^[L].

    ``layers.0`` ... ``layers.L-1`` are the ``nn.Linear`` layers.

    Args:
        input_dim: d, number of inputs.
        widths: m_1..m_{L-1}, hidden widths; empty for a linear model.
        output_dim: c, number of outputs.
        activation: name of sigma, a key of ``ACTIVATIONS``.
        hidden_bias: whether hidden layers have biases.
        output_bias: whether the output layer has a bias.
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for PyTorch's default initialisation; None: the global one.

    Raises:
        InvalidInputError: if a size is not a positive integer or the activation is unknown.

    References:
        Zhang et al., JMLR 26(69), 2025, Section 2.1 and Table 1.

    Example:
        >>> model = MLP(20, widths=[300, 300], generator=torch.Generator().manual_seed(0))
        >>> sum(p.numel() for p in model.parameters())
        96900
    """

    def __init__(
        self,
        input_dim: int,
        *,
        widths: Sequence[int],
        output_dim: int = 1,
        activation: Activation | str = "tanh",
        hidden_bias: bool = True,
        output_bias: bool = False,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if isinstance(widths, int):
            raise InvalidInputError(
                f"widths must be a sequence of hidden widths, got {widths!r}; "
                f"for one hidden layer write widths=[{widths}]."
            )
        sizes = [input_dim, *widths, output_dim]
        for position, size in enumerate(sizes):
            name = "input_dim" if position == 0 else f"widths[{position - 1}]"
            check_positive_int("output_dim" if position == len(sizes) - 1 else name, size)
        self.activation: str = check_choice("activation", activation, tuple(ACTIVATIONS))
        last = len(sizes) - 2
        with drawing_from(generator):
            self.layers = nn.ModuleList(
                nn.Linear(
                    sizes[l],
                    sizes[l + 1],
                    bias=output_bias if l == last else hidden_bias,
                    dtype=dtype,
                )
                for l in range(last + 1)
            )
        self.to(device)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return (self._linear(0).in_features,)

    @property
    def widths(self) -> tuple[int, ...]:
        """Hidden widths m_1..m_{L-1}."""
        return tuple(self._linear(l).out_features for l in range(len(self.layers) - 1))

    @property
    def structure(self) -> TwoLayerStructure | None:
        """The two-layer structure where there is one hidden layer and one output."""
        if len(self.layers) != 2 or self._linear(1).out_features != 1:
            return None
        return fully_connected_structure(
            self._linear(0),
            self._linear(1),
            prefixes=("layers.0", "layers.1"),
            activation=self.activation,
        )

    def _linear(self, l: int) -> nn.Linear:
        layer = self.layers[l]
        assert isinstance(layer, nn.Linear)
        return layer

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of shape (n, output_dim) at inputs of shape (n, input_dim)."""
        sigma = ACTIVATIONS[self.activation].function
        for layer in self.layers[:-1]:
            x = sigma(layer(x))
        return self.layers[-1](x)

    def extra_repr(self) -> str:
        """Sizes and number of parameters, for ``print(model)``."""
        count = sum(parameter.numel() for parameter in self.parameters())
        return f"widths={self.widths}, activation={self.activation!r}, parameters={count}"
