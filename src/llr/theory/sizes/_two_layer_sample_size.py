"""Optimistic sample sizes in two-layer networks with an odd activation, by covering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.errors import InvalidInputError, NotExpressibleError, check_positive_int
from llr.models import TwoLayerStructure, TwoLayerWeights
from llr.seeds import generator
from llr.theory._closed_forms import (
    ClosedForm,
    fully_connected_size,
    shared_convolution_size,
    unshared_convolution_size,
)
from llr.theory.activations import row_of
from llr.theory.sizes._representation import Representation, represent
from llr.theory.sizes._sample_size import Published, SampleSize
from llr.theory.sizes.families import ConstantPart, constant_units
from llr.theory.two_layer import (
    TwoLayerFunction,
    TwoLayerNetwork,
    read_structure,
    read_two_layer,
    reduced_function,
)

__all__ = ["printed_size", "target_network", "two_layer_size"]


def two_layer_size(
    structure: TwoLayerStructure, target: nn.Module | Mapping[str, Tensor] | int
) -> SampleSize:
    """Optimistic sample size with an odd activation, exact but for huge covering problems."""
    network = target_network(structure, target)
    function, assumes = reduced_function(network), ()
    if structure.activation != "tanh":
        function, assumes = _decided(structure, network, function)
    found = represent(structure, function)
    lower = found.lower + structure.output_bias
    upper = found.upper + structure.output_bias
    kernels = function.width if structure.positions == 1 else found.channels
    printed = printed_size(structure, kernels)
    if lower < upper:
        sources = "Theorem 1, counting neurons", "Theorem 1, at the witness"
    elif upper == printed.value:
        sources = (printed.theorem, printed.theorem)
    else:
        sources = ("Theorem 1, over all representations",) * 2
    return SampleSize(
        lower=lower,
        upper=upper,
        lower_theorem=sources[0],
        upper_theorem=sources[1],
        published=Published(
            printed.value,
            printed.formula,
            printed.theorem,
            _difference(structure, function, found, lower, upper, printed),
        ),
        target=_in_words(structure, function, found),
        n_parameters=structure.n_parameters,
        witness=structure.pack(found.weights),
        assumes=assumes,
    )


def _decided(
    structure: TwoLayerStructure, network: TwoLayerNetwork, function: TwoLayerFunction
) -> tuple[TwoLayerFunction, tuple[str, ...]]:
    """The function with its constant part as one number, and what its being zero rests on."""
    row, constants = row_of(structure.activation), constant_units(network)
    assert row is not None
    units = network.units
    part = ConstantPart.of(row, units.bias[constants], units.output[constants], network.output_bias)
    nonzero, assumes = part.decide()
    constant = {0.0: Fraction(float(part.numeric[0]))} if nonzero else {}
    return replace(function, constant=constant), (*row.assumes, *assumes)


def printed_size(structure: TwoLayerStructure, kernels: int) -> ClosedForm:
    """The printed formula for a target of K kernels (fully connected: of k neurons)."""
    d = structure.input_shape[0]
    biases = {"hidden_bias": structure.hidden_bias, "output_bias": structure.output_bias}
    if structure.positions == 1 and structure.window_size == structure.input_size:
        return fully_connected_size(structure.input_size, width=kernels, **biases)
    n_axes = len(structure.input_shape)
    closed_form = shared_convolution_size if structure.shared else unshared_convolution_size
    size = round(structure.window_size ** (1 / n_axes))
    return closed_form(d, kernels=kernels, kernel_size=size, n_axes=n_axes, **biases)


def target_network(
    structure: TwoLayerStructure, target: nn.Module | Mapping[str, Tensor] | int
) -> TwoLayerNetwork:
    """The target as a two-layer network with one output."""
    if isinstance(target, int):
        network = read_structure(*_generic(structure, target))
    elif isinstance(target, Mapping):
        network = read_structure(*_from_state(structure, target))
    else:
        network = read_two_layer(target, activation=structure.activation)
    if network is None or network.units.output.shape[1] != 1:
        raise InvalidInputError(
            f"target must be a two-layer {structure.activation} network with one output, "
            f"parameters of the model, or an intrinsic width, got {type(target).__name__}. Other "
            "functions are not known to be expressible by the model."
        )
    if network.input_size != structure.input_size:
        raise InvalidInputError(
            f"target must have {structure.input_size} input coordinates like the model, got "
            f"{network.input_size}."
        )
    return network


def _with_channels(structure: TwoLayerStructure, channels: int) -> TwoLayerStructure:
    """The same structure with another number of channels."""
    return replace(
        structure,
        channels=channels,
        kernels_shape=(channels, *structure.kernels_shape[1:]),
        bias_shape=(channels, *structure.bias_shape[1:]),
    )


def _generic(structure: TwoLayerStructure, width: int) -> tuple[TwoLayerStructure, Parameters]:
    """A generic target of a width: neurons of an MLP, kernels with all outputs of a convolution."""
    check_positive_int("target", width, minimum=0)
    if width > structure.channels:
        raise NotExpressibleError(
            f"target must be of width at most {structure.channels}, the model's, got {width}: "
            "generic functions of a larger width are not expressible. Build a wider model."
        )
    narrow = _with_channels(structure, max(width, 1))
    stream = generator(0, "target")
    c, q = narrow.channels, narrow.kernels_per_channel

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=stream, dtype=torch.float64) * (width > 0)

    weights = TwoLayerWeights(
        kernels=draw(c, q, narrow.window_size),
        kernel_bias=draw(c, q) if narrow.hidden_bias else None,
        output=draw(c, narrow.positions),
        output_bias=torch.zeros((), dtype=torch.float64) if narrow.output_bias else None,
    )
    return narrow, narrow.pack(weights)


def _from_state(
    structure: TwoLayerStructure, state: Mapping[str, Tensor]
) -> tuple[TwoLayerStructure, Parameters]:
    """A state dict of the model, or of a narrower or wider one of its kind."""
    names = structure.names
    missing = [name for name in (names.kernels, names.output) if name not in state]
    if missing:
        raise InvalidInputError(
            f"a target state dict must have the model's names {names.kernels!r} and "
            f"{names.output!r}, got {sorted(state)}."
        )
    kernels = state[names.kernels]
    widened = _with_channels(structure, kernels.shape[0] if kernels.dim() else 0)
    # A bias that only one of the two has is zero in the other.
    stem, head = names.kernels.removesuffix("weight"), names.output.removesuffix("weight")
    hidden_bias, output_bias = f"{stem}bias", f"{head}bias"
    widened = replace(
        widened,
        names=names._replace(
            kernel_bias=hidden_bias if hidden_bias in state else None,
            output_bias=output_bias if output_bias in state else None,
        ),
    )
    expected = {
        names.kernels: widened.kernels_shape,
        hidden_bias: widened.bias_shape,
        names.output: (1, widened.channels * widened.positions),
        output_bias: (1,),
    }
    for name, value in state.items():
        if name not in expected:
            raise InvalidInputError(
                f"a target state dict may have the names {sorted(expected)}, got {name!r}."
            )
        if tuple(value.shape) != tuple(expected[name]):
            raise InvalidInputError(
                f"target[{name!r}] must have shape {tuple(expected[name])}, got "
                f"{tuple(value.shape)}."
            )
    return widened, dict(state)


def _in_words(
    structure: TwoLayerStructure, function: TwoLayerFunction, found: Representation
) -> str:
    """The target in words."""
    constant = f"the constant {function.constant_value:.6g}" if function.constant else ""
    if function.width == 0:
        return constant or "the zero function"
    text = f"{function.width} neuron{'s' if function.width > 1 else ''}"
    if structure.shared and structure.positions > 1:
        text += f" in {found.channels} kernel{'s' if found.channels > 1 else ''}"
    return f"{text} and {constant}" if constant else text


def _difference(
    structure: TwoLayerStructure,
    function: TwoLayerFunction,
    found: Representation,
    lower: int,
    upper: int,
    printed: ClosedForm,
) -> str:
    """Why the true number is not the printed one."""
    if lower == upper == printed.value:
        return ""
    reasons = []
    if function.constant and not structure.output_bias:
        reasons.append(
            "the formula has no constant part, which takes a unit with zero input weights here: "
            f"1 + {structure.window_size} more"
        )
    full = found.channels * structure.positions
    if structure.positions > 1 and structure.shared and found.neurons < full:
        reasons.append(
            "the formula needs the shifts of different kernels, padded to the whole input, to be "
            f"distinct up to sign: the {found.channels} kernels share neurons and have "
            f"{found.neurons} in all, not {full}"
        )
    if structure.positions > 1 and not structure.shared and function.width < full:
        reasons.append(
            f"the formula counts K p = {full} neurons, distinct up to sign and with nonzero "
            f"output weights: the target has {function.width}"
        )
    if lower < upper:
        reasons.append("the least number of kernels is not settled")
    return "; ".join(reasons)
