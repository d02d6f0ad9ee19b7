"""Bounds on optimistic sample sizes in fully connected networks of any depth and activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from llr._types import Parameters
from llr.errors import InvalidInputError
from llr.seeds import generator
from llr.theory._closed_forms import deep_network_bound, relu_network_bound
from llr.theory._embed import embed_layers
from llr.theory.activations import NEVER_ZERO, VALUE_AT_ZERO
from llr.theory.deep import FullyConnected
from llr.theory.sizes._deep_target import deep_target
from llr.theory.sizes._sample_size import Published, SampleSize

__all__ = ["deep_network_size"]

PROBES = 8
"""Inputs at which the target is tested for being zero or constant."""

NOISE = 1e-9
"""Outputs that differ by less, relative to the largest parameter, count as equal."""


def deep_network_size(
    model: nn.Module, layers: FullyConnected, target: nn.Module | Mapping[str, Tensor] | int
) -> SampleSize:
    """Bounds: the narrow network's parameters from above, the target itself from below.

    The tangent space at any parameters has the outputs' biases, and, since f is linear in the last
    layer, f itself: one dimension for each output bias, and one more if f is not constant.
    """
    c, output_bias = layers.sizes[-1], layers.biases[-1] is not None
    at_zero = VALUE_AT_ZERO[layers.activation]
    if isinstance(target, int) and target == 0:
        # All parameters zero: the last hidden layer is sigma(0).
        upper = c if output_bias or at_zero else 0
        lower = c if output_bias or _never_zero(layers) else 0
        witness = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
        theorem = "all parameters zero"
        return _size(model, lower, upper, theorem, None, "the zero function", witness)
    narrow, values = _with_biases_of(layers, *deep_target(layers, target))
    if any(a > b for a, b in zip(narrow.widths, layers.widths, strict=True)):
        raise InvalidInputError(
            f"target must be at most as wide as the model in every layer, {layers.widths}, got "
            f"{narrow.widths}: whether it is expressible then is not known. Build a wider model."
        )
    witness = embed_layers(narrow, layers, values, method="split" if at_zero else "null")
    sizes: dict[str, Any] = {
        "widths": narrow.widths,
        "output_dim": c,
        "hidden_bias": all(layers.bias_pattern[:-1]),
        "output_bias": output_bias,
    }
    relu = layers.activation == "relu"
    printed = (relu_network_bound if relu else deep_network_bound)(layers.sizes[0], **sizes)
    upper = sum(value.numel() for value in values.values()) - relu * sum(narrow.widths)
    note = "an upper bound; exact values are known for tanh, and for the sigmoid with biases"
    published = Published(printed.value, printed.formula, printed.theorem, note)
    words = f"a function of a network of hidden widths {narrow.widths}"
    lower = _least(model, witness, layers)
    return _size(model, lower, upper, printed.theorem, published, words, witness)


def _never_zero(layers: FullyConnected) -> bool:
    """Whether no parameters make the last hidden layer vanish."""
    shallow = layers.depth == 2 and layers.biases[0] is None
    at_zero = VALUE_AT_ZERO[layers.activation] != 0
    return layers.activation in NEVER_ZERO or (shallow and at_zero)


def _size(
    model: nn.Module,
    lower: int,
    upper: int,
    theorem: str,
    published: Published | None,
    words: str,
    witness: Parameters,
) -> SampleSize:
    """The bounds as a result."""
    return SampleSize(
        lower=lower,
        upper=upper,
        lower_theorem=theorem if lower == upper else "the tangent space contains f itself",
        upper_theorem=theorem,
        published=published,
        target=words,
        n_parameters=sum(parameter.numel() for parameter in model.parameters()),
        witness=witness,
    )


def _least(model: nn.Module, witness: Parameters, layers: FullyConnected) -> int:
    """Output biases, and one for a target that the probes show to vary (or to be nonzero)."""
    stream = generator(0, "probe")
    x = torch.randn(PROBES, layers.sizes[0], generator=stream, dtype=torch.float64)
    exact = {name: value.detach().cpu().double() for name, value in witness.items()}
    outputs = functional_call(model, exact, (x,))
    noise = NOISE * (1 + max(float(value.abs().max()) for value in exact.values()))
    if layers.biases[-1] is None:
        return int(float(outputs.abs().max()) > noise)
    return layers.sizes[-1] + int(float((outputs - outputs[0]).abs().max()) > noise)


def _with_biases_of(
    layers: FullyConnected, narrow: FullyConnected, values: Parameters
) -> tuple[FullyConnected, Parameters]:
    """The target with the model's biases: zero where it has none."""
    filled = {name: values[name] for name in narrow.weights}
    for l, name in enumerate(layers.biases):
        own = narrow.biases[l]
        if name is not None:
            zero = values[narrow.weights[l]].new_zeros(narrow.sizes[l + 1])
            filled[name] = zero if own is None else values[own]
        elif own is not None and bool(values[own].any()):
            raise InvalidInputError(
                f"target must have no bias in layer {l + 1}, where the model has none, got a "
                "nonzero one. Build the model with that bias."
            )
    return replace(narrow, biases=layers.biases), filled
