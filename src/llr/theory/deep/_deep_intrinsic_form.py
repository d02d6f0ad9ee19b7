"""The irreducible form of a deep network as a result for users."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
import torch

from llr._show import html_block, to_json
from llr.models import MLP
from llr.theory.deep._irreducible_form import IrreducibleNetwork, irreducible_form
from llr.theory.deep._tanh_network import TanhNetwork
from llr.theory.two_layer import CONSTANT

__all__ = ["DeepIntrinsicForm", "DeepUnitFate", "deep_intrinsic_form"]

LINES_SHOWN = 20


@dataclass(frozen=True)
class DeepUnitFate:
    """What became of one hidden unit of a deep network.

    Attributes:
        layer: hidden layer, from 1.
        unit: index in the layer, from 0.
        fate: "kept" stands for its neuron, "merged" was added to it, "constant" went into the
            biases above, "dropped" had no effect on the function.
        neuron: the neuron of that layer of the irreducible form that it is part of, or None.
        sign: -1 if it is the negative of that neuron (sigmoid: 1 minus it).
        reason: a sentence.
    """

    layer: int
    unit: int
    fate: Literal["kept", "merged", "constant", "dropped"]
    neuron: int | None
    sign: int
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class DeepIntrinsicForm:
    """The irreducible network with the function of a deep tanh or sigmoid network.

    It is unique up to the order of units and their signs. Every network of this depth with the same
    function is at least as wide in every layer.

    Attributes:
        model: that network, float64. Where the function is constant, its hidden layers have one
            null unit each.
        input_dim: d.
        widths: hidden widths m_1..m_(L-1); zeros where the function is constant.
        output_dim: c.
        needs_bias: for each layer 1..L, whether some bias of the irreducible form is not zero.
        exact: whether the model's parameters are exact; False where a sum of weights, or a value
            of a constant unit, is no floating-point number and was rounded.
        report: the fate of every hidden unit, layer by layer.
    """

    model: MLP = field(repr=False)
    input_dim: int
    widths: tuple[int, ...]
    output_dim: int
    needs_bias: tuple[bool, ...]
    exact: bool
    report: tuple[DeepUnitFate, ...]

    @property
    def n_parameters(self) -> int:
        """Weights of the irreducible form, and biases in the layers that need one."""
        if not self.widths[-1]:
            return 0
        sizes = (self.input_dim, *self.widths, self.output_dim)
        biases = sum(m for m, bias in zip(sizes[1:], self.needs_bias, strict=True) if bias)
        return sum(a * b for a, b in pairwise(sizes)) + biases

    def summary(self) -> dict[str, str | int | bool]:
        """One flat row: widths, units, how many met each fate, exactness."""
        counts = Counter(unit.fate for unit in self.report)
        return {
            "widths": "-".join(map(str, self.widths)),
            "units": len(self.report),
            **{fate: counts[fate] for fate in ("kept", "merged", "constant", "dropped")},
            "needs_bias": "-".join("yes" if bias else "no" for bias in self.needs_bias),
            "exact": self.exact,
        }

    def to_json(self) -> str:
        """The summary and the fates as JSON."""
        return to_json({**self.summary(), "report": [vars(unit) for unit in self.report]})

    def lines(self) -> list[str]:
        """The report in words: a line for each neuron, constant unit and dropped unit."""
        neurons: dict[tuple[int, int], list[str]] = {}
        rest = []
        for fate in self.report:
            if fate.neuron is None:
                rest.append(f"layer {fate.layer}: {fate.fate} unit {fate.unit}: {fate.reason}")
            else:
                sign = "-" if fate.sign < 0 else "+"
                key = (fate.layer, fate.neuron)
                neurons.setdefault(key, []).append(f"{sign} unit {fate.unit}")
        kept = [
            f"layer {layer}: neuron {neuron} = {' '.join(units).removeprefix('+ ')}"
            for (layer, neuron), units in sorted(neurons.items())
        ]
        return kept + rest

    def __repr__(self) -> str:
        lines = self.lines()
        rounded = "" if self.exact else ", parameters rounded"
        head = f"DeepIntrinsicForm(widths={self.widths}, from {len(self.report)} units{rounded})"
        more = len(lines) - LINES_SHOWN
        tail = [f"... and {more} more lines, see .lines()"] if more > 0 else []
        return "\n  ".join([head, *lines[:LINES_SHOWN], *tail])

    def _repr_html_(self) -> str:
        return html_block(repr(self))


def deep_intrinsic_form(
    network: TanhNetwork, activation: Literal["tanh", "sigmoid"]
) -> DeepIntrinsicForm:
    """The irreducible form of a network, and the fate of every unit."""
    form = irreducible_form(network)
    return DeepIntrinsicForm(
        model=_as_model(form, network, activation),
        input_dim=network.sizes[0],
        widths=form.widths,
        output_dim=network.sizes[-1],
        needs_bias=tuple(layer.needs_bias for layer in form.layers),
        exact=all(layer.exact for layer in form.layers),
        report=tuple(
            _fate(form, layer, unit)
            for layer, size in enumerate(network.sizes[1:-1], 1)
            for unit in range(size)
        ),
    )


def _as_model(
    form: IrreducibleNetwork, network: TanhNetwork, activation: Literal["tanh", "sigmoid"]
) -> MLP:
    """The form as a module; a hidden layer without units gets a null unit."""
    model = MLP(
        network.sizes[0],
        widths=[max(1, m) for m in form.widths],
        output_dim=network.sizes[-1],
        activation=activation,
        hidden_bias=any(layer.needs_bias for layer in form.layers[:-1]),
        output_bias=form.layers[-1].needs_bias,
        generator=torch.Generator(),
    )
    state = {name: torch.zeros_like(value) for name, value in model.state_dict().items()}
    for l, layer in enumerate(form.layers):
        rows, columns = layer.weight.shape
        state[f"layers.{l}.weight"][:rows, :columns] = torch.from_numpy(layer.weight)
        if f"layers.{l}.bias" in state:
            state[f"layers.{l}.bias"][:rows] = torch.from_numpy(layer.bias)
    model.load_state_dict(state)
    return model


def _fate(form: IrreducibleNetwork, layer: int, unit: int) -> DeepUnitFate:
    """What became of one unit."""
    classes = form.classes.layers[layer]
    group = int(classes.group[unit])
    if group == CONSTANT:
        if unit in form.absorbed[layer - 1]:
            reason = "computes a constant, which joins the biases above"
            return DeepUnitFate(layer, unit, "constant", None, 1, reason)
        what = "computes a constant without effect" if classes.values[unit] else "computes 0"
        return DeepUnitFate(layer, unit, "dropped", None, 1, what)
    place = np.flatnonzero(form.kept[layer - 1] == group)
    if len(place) == 0:
        reason = "no output depends on it"
        if classes.counts[group] > 1:
            reason = "its equal units cancel, or no output depends on them"
        return DeepUnitFate(layer, unit, "dropped", None, 1, reason)
    neuron, first = int(place[0]), int(classes.representative[group])
    if unit == first:
        return DeepUnitFate(layer, unit, "kept", neuron, 1, f"stands for neuron {neuron}")
    sign = int(classes.sign[unit] * classes.sign[first])
    reason = f"equal to the unit of neuron {neuron}{' up to sign' if sign < 0 else ''}"
    return DeepUnitFate(layer, unit, "merged", neuron, sign, reason)
