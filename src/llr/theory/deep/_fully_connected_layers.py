"""Fully connected networks of any depth, read off their modules."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from llr.models import MLP, activation_of, two_layer_structure

__all__ = ["FullyConnected", "read_fully_connected"]


@dataclass(frozen=True)
class FullyConnected:
    """Layers of a fully connected network.

    Attributes:
        sizes: d, m_1..m_{L-1}, c.
        weights: names of the weights of layers 1..L.
        biases: names of their biases, None for layers without.
        activation: name of the activation of the hidden layers.
    """

    sizes: tuple[int, ...]
    weights: tuple[str, ...]
    biases: tuple[str | None, ...]
    activation: str

    @property
    def depth(self) -> int:
        """L."""
        return len(self.weights)

    @property
    def widths(self) -> tuple[int, ...]:
        """m_1..m_{L-1}."""
        return self.sizes[1:-1]

    @property
    def bias_pattern(self) -> tuple[bool, ...]:
        """Which layers have a bias."""
        return tuple(name is not None for name in self.biases)


def read_fully_connected(model: nn.Module) -> FullyConnected | None:
    """The layers of a fully connected network, or None for any other module.

    Recognised are ``MLP``, the fully connected two-layer classes, and ``nn.Sequential`` of
    ``nn.Linear`` layers with one and the same activation between them.
    """
    structure = two_layer_structure(model, activation=None)
    if structure is not None:
        if structure.kernels_shape != (structure.channels, structure.input_size):
            return None  # a convolution
        names = structure.names
        return FullyConnected(
            sizes=(structure.input_size, structure.channels, 1),
            weights=(names.kernels, names.output),
            biases=(names.kernel_bias, names.output_bias),
            activation=structure.activation,
        )
    if type(model) is MLP:
        return _from_linears(
            [f"layers.{l}" for l in range(len(model.layers))], list(model.layers), model.activation
        )
    if type(model) is not nn.Sequential or len(model) % 2 == 0:
        return None
    rows = [activation_of(module) for module in list(model)[1::2]]
    names = {None if row is None else row.name for row in rows}
    if len(names) > 1 or None in names:
        return None
    name = next((name for name in names if name is not None), "identity")
    prefixes = [str(l) for l in range(0, len(model), 2)]
    return _from_linears(prefixes, list(model)[::2], name)


def _from_linears(
    prefixes: list[str], layers: list[nn.Module], activation: str
) -> FullyConnected | None:
    """The network made of these linear layers."""
    linears = [layer for layer in layers if type(layer) is nn.Linear]
    if len(linears) < len(layers):
        return None
    return FullyConnected(
        sizes=(linears[0].in_features, *(layer.out_features for layer in linears)),
        weights=tuple(f"{prefix}.weight" for prefix in prefixes),
        biases=tuple(
            f"{prefix}.bias" if layer.bias is not None else None
            for prefix, layer in zip(prefixes, linears, strict=True)
        ),
        activation=activation,
    )
