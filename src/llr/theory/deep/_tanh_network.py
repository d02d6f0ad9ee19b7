r"""Fully connected networks of any depth that are tanh networks, read off their modules.

The activation is sigma(z) = offset + scale tanh(slope z) with powers of two: tanh itself, and the
sigmoid 1/2 + 1/2 tanh(z / 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from torch import Tensor, nn

from llr._types import Parameters
from llr.theory._named_parameters import named_values
from llr.theory.arithmetic import Floats, exact_array
from llr.theory.deep._fully_connected_layers import FullyConnected, read_fully_connected

__all__ = [
    "TANH_FORMS",
    "TanhForm",
    "TanhLayer",
    "TanhNetwork",
    "read_tanh_network",
    "tanh_network",
]


@dataclass(frozen=True)
class TanhForm:
    """sigma(z) = offset + scale tanh(slope z).

    Attributes:
        offset: value at zero.
        scale: factor of tanh, positive.
        slope: factor of the argument, positive.
    """

    offset: Fraction
    scale: Fraction
    slope: Fraction


TANH_FORMS: dict[str, TanhForm] = {
    "tanh": TanhForm(Fraction(0), Fraction(1), Fraction(1)),
    "sigmoid": TanhForm(Fraction(1, 2), Fraction(1, 2), Fraction(1, 2)),
}
"""Activations that are tanh up to affine maps."""


@dataclass(frozen=True)
class TanhLayer:
    """One layer z = W y + b.

    Attributes:
        weight: (m_l, m_{l-1}).
        bias: (m_l,), or None.
        weight_name: name of the weight's parameter; layers that share one are tied.
        bias_name: name of the bias's parameter.
        weight_trainable: whether the weight counts as a parameter.
        bias_trainable: whether the bias does.
    """

    weight: Floats
    bias: Floats | None
    weight_name: str
    bias_name: str | None
    weight_trainable: bool = True
    bias_trainable: bool = True


@dataclass(frozen=True)
class TanhNetwork:
    """A fully connected network with tanh-like hidden layers at a parameter point.

    Attributes:
        layers: layers 1..L; the last one has no activation.
        form: of the hidden layers' activation.
    """

    layers: tuple[TanhLayer, ...]
    form: TanhForm

    @property
    def sizes(self) -> tuple[int, ...]:
        """d, m_1..m_{L-1}, c."""
        return (self.layers[0].weight.shape[1], *(len(layer.weight) for layer in self.layers))

    @property
    def tied(self) -> bool:
        """Whether two layers share a parameter."""
        names = [n for layer in self.layers for n in (layer.weight_name, layer.bias_name) if n]
        return len(set(names)) < len(names)


def read_tanh_network(
    model: nn.Module, params: Mapping[str, Tensor] | None = None
) -> TanhNetwork | None:
    """The layers of a fully connected tanh or sigmoid network, or None for any other module."""
    layers = read_fully_connected(model)
    if layers is None or layers.activation not in TANH_FORMS or layers.depth < 2:
        return None
    values = named_values(model, params)
    first_name = {id(p): name for name, p in model.named_parameters()}
    shared = {name: first_name[id(p)] for name, p in model.named_parameters(remove_duplicate=False)}
    names = [n for n in (*layers.weights, *layers.biases) if n is not None]
    if any(shared.get(name) not in values for name in names):
        return None  # reparametrised: the layers do not say what theta is
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    return _network(layers, {name: values[shared[name]] for name in names}, shared, trainable)


def tanh_network(layers: FullyConnected, values: Mapping[str, Tensor]) -> TanhNetwork:
    """The network that these layers make of parameters, all of them trainable."""
    own = {name: name for name in (*layers.weights, *layers.biases) if name is not None}
    return _network(layers, values, own, set(own))


def _network(
    layers: FullyConnected,
    values: Mapping[str, Tensor] | Parameters,
    shared: Mapping[str, str],
    trainable: set[str],
) -> TanhNetwork:
    """Layers with their exact values."""
    return TanhNetwork(
        layers=tuple(
            TanhLayer(
                weight=exact_array(weight, values[weight]),
                bias=None if bias is None else exact_array(bias, values[bias]),
                weight_name=shared[weight],
                bias_name=None if bias is None else shared[bias],
                weight_trainable=shared[weight] in trainable,
                bias_trainable=bias is not None and shared[bias] in trainable,
            )
            for weight, bias in zip(layers.weights, layers.biases, strict=True)
        ),
        form=TANH_FORMS[layers.activation],
    )
