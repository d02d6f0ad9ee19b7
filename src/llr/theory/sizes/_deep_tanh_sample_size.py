r"""Exact optimistic sample sizes in deep fully connected tanh networks.

Let N be the irreducible form of the target f, with widths m_1..m_(L-1), m_0 = d, m_L = c. Every
network A with the function f reduces to N, and each step of the reduction shrinks the tangent
space; so the rank of A at any parameters that express f is at least

    M(N) = d m_1 + m_1 m_2 + ... + m_(L-1) c + m_l for each layer l where A has a bias,

and N with null units attains it: O(f) = M(N) (docs/theory/deep_tanh). Where N needs a bias that A
lacks, in layer l, some constant unit of layer l - 1 must stand in for it, which adds the m_l
functions delta_K of the missing bias and m_(l-2) from the constant unit's incoming weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.errors import NotExpressibleError
from llr.theory._closed_forms import deep_network_bound
from llr.theory.arithmetic import Floats
from llr.theory.deep import (
    FullyConnected,
    IrreducibleNetwork,
    deep_rank,
    irreducible_form,
    tanh_network,
)
from llr.theory.sizes._deep_target import deep_target
from llr.theory.sizes._sample_size import Published, SampleSize

__all__ = ["DEEP_THEOREM", "deep_tanh_size", "has_exact_size"]

DEEP_THEOREM = "the deep tanh theorem"
"""Name of the theorem, as docs/theory/deep_tanh states it."""

STATUS = "The deep tanh theorem, proved in the documentation (docs/theory), not peer reviewed."

NESTED = "Schanuel's conjecture, for constants tanh(...tanh(...)...) of constant units."


def has_exact_size(layers: FullyConnected) -> bool:
    """Whether the theorem covers the model: tanh, or sigmoid with biases above the first layer."""
    if layers.depth < 2 or layers.activation not in ("tanh", "sigmoid"):
        return False
    return layers.activation == "tanh" or all(layers.bias_pattern[1:])


def deep_tanh_size(
    model: nn.Module, layers: FullyConnected, target: nn.Module | Mapping[str, Tensor] | int
) -> SampleSize:
    """The optimistic sample size of a target in a deep tanh network.

    Raises:
        NotExpressibleError: if the model is too narrow, or lacks a bias that nothing replaces.
        InvalidInputError: if the target is of another kind.
    """
    if isinstance(target, int) and target == 0:
        return _constant_size(model, layers, np.zeros(layers.sizes[-1]))
    narrow, values = deep_target(layers, target)
    form = irreducible_form(tanh_network(narrow, values))
    if form.constant:
        return _constant_size(model, layers, form.layers[-1].bias)
    missing = [
        l
        for l, (layer, bias) in enumerate(zip(form.layers, layers.bias_pattern, strict=True), 1)
        if layer.needs_bias and not bias
    ]
    carriers = _carriers(layers, missing)
    _check_widths(layers, form.widths, carriers)
    sizes = (layers.sizes[0], *form.widths, layers.sizes[-1])
    least = sum(a * b for a, b in pairwise(sizes))
    least += sum(m for m, bias in zip(sizes[1:], layers.bias_pattern, strict=True) if bias)
    witness = _witness(layers, form, missing, carriers)
    lower = least + sum(sizes[l] + sizes[l - 2] for l in missing)
    upper = _rank(layers, witness) if missing else lower
    printed = deep_network_bound(
        layers.sizes[0],
        widths=form.widths,
        output_dim=layers.sizes[-1],
        hidden_bias=all(layers.bias_pattern[:-1]),
        output_bias=layers.bias_pattern[-1],
    )
    two_layer = layers.depth == 2
    theorem = "Theorem 1, over all representations" if two_layer else DEEP_THEOREM
    note = "" if two_layer else "printed as an upper bound; it is the value"
    if upper != printed.value:
        note = "the formula counts biases in all hidden layers or in none, and no missing ones"
    assumes = () if two_layer else (STATUS,)
    if form.classes.values.nested:
        assumes += (NESTED,)
    return SampleSize(
        lower=lower,
        upper=upper,
        lower_theorem=theorem,
        upper_theorem=theorem if lower == upper else f"{theorem}, at the witness",
        published=Published(printed.value, printed.formula, printed.theorem, note),
        target=_in_words(form),
        n_parameters=sum(parameter.numel() for parameter in model.parameters()),
        witness=witness,
        assumes=(() if two_layer else (STATUS,))
        + ((NESTED,) if form.classes.values.nested else ()),
    )


def _in_words(form: IrreducibleNetwork) -> str:
    """The target in words."""
    exact = all(layer.exact for layer in form.layers)
    return f"an irreducible network of hidden widths {form.widths}" + (
        "" if exact else ", its parameters rounded in the witness"
    )


def _carriers(layers: FullyConnected, missing: Sequence[int]) -> set[int]:
    """Hidden layers that need a constant unit, so that it stands in for missing biases.

    A constant unit in a layer without a bias is fed by one in the layer below.
    """
    carriers: set[int] = set()
    for missed in missing:
        l = missed - 1
        while l >= 1 and not layers.bias_pattern[l - 1]:
            carriers.add(l)
            l -= 1
        if l < 1:
            raise NotExpressibleError(
                f"the target must have no bias in layer {missed}: the model has none there and "
                "no bias in a layer below whose unit could replace it. Build the model with a bias."
            )
        carriers.add(l)
    return carriers


def _check_widths(layers: FullyConnected, widths: Sequence[int], carriers: set[int]) -> None:
    """The model has room for the irreducible form and for the constant units."""
    needed = tuple(m + (l in carriers) for l, m in enumerate(widths, 1))
    if any(m > room for m, room in zip(needed, layers.widths, strict=True)):
        extra = f" and constant units in layers {sorted(carriers)}" if carriers else ""
        raise NotExpressibleError(
            f"the model must have hidden widths of at least {needed}, the widths of the target's "
            f"irreducible form{extra}, got {layers.widths}: every network with this function "
            "reduces to that form. Build a wider model."
        )


def _zeros(layers: FullyConnected) -> Parameters:
    """Parameters that are all zero."""
    values: Parameters = {}
    for l, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
        values[weight] = torch.zeros(layers.sizes[l + 1], layers.sizes[l], dtype=torch.float64)
        if bias is not None:
            values[bias] = torch.zeros(layers.sizes[l + 1], dtype=torch.float64)
    return values


def _witness(
    layers: FullyConnected,
    form: IrreducibleNetwork,
    missing: Sequence[int],
    carriers: set[int],
) -> Parameters:
    """The irreducible form with null units, and with constant units for missing biases."""
    values = _zeros(layers)
    sizes = (layers.sizes[0], *form.widths, layers.sizes[-1])
    for l, layer in enumerate(form.layers):
        values[layers.weights[l]][: sizes[l + 1], : sizes[l]] = torch.from_numpy(layer.weight)
        name = layers.biases[l]
        if name is not None:
            values[name][: sizes[l + 1]] = torch.from_numpy(layer.bias)
    outputs = _feed_carriers(layers, values, {l: form.widths[l - 1] for l in carriers})
    for l in missing:
        share = torch.from_numpy(form.layers[l - 1].bias) / outputs[l - 1]
        values[layers.weights[l - 1]][: sizes[l], form.widths[l - 2]] = share
    return values


def _feed_carriers(
    layers: FullyConnected, values: Parameters, places: Mapping[int, int]
) -> dict[int, float]:
    """Set a constant unit at a place in some hidden layers; its value in each."""
    outputs: dict[int, float] = {}
    for l in sorted(places):
        name = layers.biases[l - 1]
        if name is not None:
            values[name][places[l]] = 1.0
            outputs[l] = math.tanh(1.0)
        else:
            values[layers.weights[l - 1]][places[l], places[l - 1]] = 1.0
            outputs[l] = math.tanh(outputs[l - 1])
    return outputs


def _rank(layers: FullyConnected, values: Parameters) -> int:
    """The exact rank at some parameters."""
    return deep_rank(tanh_network(layers, values))


def _constant_size(model: nn.Module, layers: FullyConnected, constant: Floats) -> SampleSize:
    """The size of a constant function, one value for each output.

    With an output bias, its c directions are all there is. Without one the tanh network needs a
    constant unit in layer L - 1, whose outgoing weights are c directions; where L = 2 its incoming
    weights add d. In deeper networks they see units that are zero, unless the only bias is
    that of the first layer.
    """
    c, d = layers.sizes[-1], layers.sizes[0]
    values = _zeros(layers)
    output_bias = layers.biases[-1]
    lower = upper = c
    if output_bias is not None:
        values[output_bias] += torch.from_numpy(constant)
    elif not constant.any():
        lower = upper = 0
    else:
        carriers = _carriers(layers, [layers.depth])
        outputs = _feed_carriers(layers, values, dict.fromkeys(carriers, 0))
        last = torch.from_numpy(constant) / outputs[layers.depth - 1]
        values[layers.weights[-1]][:, 0] = last
        upper = _rank(layers, values)
        lower = c + d if layers.depth == 2 else c
    return SampleSize(
        lower=lower,
        upper=upper,
        lower_theorem="Theorem 1, for a constant function",
        upper_theorem="Theorem 1, for a constant function",
        published=None,
        target=f"the constant {constant.tolist()}" if constant.any() else "the zero function",
        n_parameters=sum(parameter.numel() for parameter in model.parameters()),
        witness=values,
    )
