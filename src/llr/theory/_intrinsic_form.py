"""The smallest equivalent two-layer network, and what became of every unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from llr._show import html_block, to_json
from llr.errors import InvalidInputError, UnsupportedModuleError, check_number
from llr.models import TwoLayerTanhMLP
from llr.theory.arithmetic import Integers
from llr.theory.deep import (
    DeepIntrinsicForm,
    deep_intrinsic_form,
    read_fully_connected,
    read_tanh_network,
)
from llr.theory.two_layer import (
    CONSTANT,
    HiddenUnits,
    TwoLayerFunction,
    TwoLayerNetwork,
    group_units,
    merge_units,
    read_two_layer,
)

__all__ = ["IntrinsicForm", "UnitFate", "intrinsic_form", "network_of"]

LINES_SHOWN = 20


@dataclass(frozen=True)
class UnitFate:
    """What became of one hidden unit.

    Attributes:
        channel: the unit's channel (hidden neuron of an MLP, kernel of a convolution).
        position: its position in the channel; 0 in an MLP.
        fate: "kept" stands for its neuron, "merged" was added to it, "constant" went into the
            constant part, "dropped" had no effect on the function.
        neuron: the intrinsic neuron it is part of, None for constant and dropped units.
        sign: -1 if it enters that neuron, or the constant, with opposite sign.
        reason: a sentence.
    """

    channel: int
    position: int
    fate: Literal["kept", "merged", "constant", "dropped"]
    neuron: int | None
    sign: int
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class IntrinsicForm:
    """The smallest two-layer tanh network with the same function.

    Attributes:
        model: that network, on flattened inputs, float64. A nonzero constant part is its output
            bias. The zero function, which has no neurons, is written with one null neuron.
        width: k, the intrinsic width; the constant part is not counted.
        constant: the constant part, the output bias included.
        output_bias: the output bias of the network that was reduced, None if it has none.
        report: the fate of every hidden unit, channel by channel, position by position.
        tol: the tolerance used.
    """

    model: TwoLayerTanhMLP
    width: int
    constant: float
    output_bias: float | None
    report: tuple[UnitFate, ...]
    tol: float

    def summary(self) -> dict[str, float | int]:
        """One flat row: width, units, how many met each fate, the constant part, the tolerance."""
        counts = {
            fate: sum(unit.fate == fate for unit in self.report)
            for fate in ("kept", "merged", "constant", "dropped")
        }
        return {
            "width": self.width,
            "units": len(self.report),
            **counts,
            "constant_part": self.constant,
            "tol": self.tol,
        }

    def to_json(self) -> str:
        """The summary and the fates as JSON."""
        return to_json({**self.summary(), "report": [vars(unit) for unit in self.report]})

    def lines(self) -> list[str]:
        """The report in words, a line for each neuron and for each dropped unit."""
        single = all(unit.position == 0 for unit in self.report)

        def name(unit: UnitFate) -> str:
            return f"{unit.channel}" if single else f"{unit.channel}@{unit.position}"

        parts: dict[int | None, list[str]] = {}
        dropped = []
        for unit in self.report:
            if unit.fate == "dropped":
                dropped.append(f"dropped unit {name(unit)}: {unit.reason}")
            else:
                sign = "-" if unit.sign < 0 else "+"
                parts.setdefault(unit.neuron, []).append(f"{sign} unit {name(unit)}")
        constants = parts.pop(None, [])
        if self.output_bias:
            constants.append("+ output bias")
        lines = [
            f"neuron {number} = {' '.join(units).removeprefix('+ ')}"
            for number, units in sorted(parts.items(), key=lambda item: item[0] or 0)
        ]
        if constants:
            source = " ".join(constants).removeprefix("+ ")
            lines.append(f"constant {self.constant:.6g} = {source}")
        return lines + dropped

    def __repr__(self) -> str:
        lines = self.lines()
        head = f"IntrinsicForm(width={self.width}, from {len(self.report)} units, tol={self.tol:g})"
        more = len(lines) - LINES_SHOWN
        tail = [f"... and {more} more lines, see .lines()"] if more > 0 else []
        return "\n  ".join([head, *lines[:LINES_SHOWN], *tail])

    def _repr_html_(self) -> str:
        return html_block(repr(self))


def intrinsic_form(
    model: nn.Module, *, tol: float = 0.0, params: Mapping[str, Tensor] | None = None
) -> IntrinsicForm | DeepIntrinsicForm:
    r"""Reduce a tanh network to the smallest one of its depth with the same function.

    Units whose (w, b) are equal up to a common sign are merged, their output weights added up
    with that sign; units without effect are dropped: null ones, those with zero output weight,
    groups that cancel, and units with zero input weights, whose constant a tanh(b) goes into
    the bias above. The result is unique up to order and signs (two layers: Fukumizu, 1996; any
    depth: Vlacic and Boelcskei, 2021, and docs/theory), and the width k of a two-layer network is
    the intrinsic width of Theorem 4. In deep networks layers are reduced from the first one up,
    because units can become equal once those below them are merged.

    Args:
        model: a two-layer tanh network with one output, fully connected or convolutional, or a
            fully connected tanh or sigmoid network of any depth with any number of outputs.
        tol: 0: exact, equal means equal. Otherwise, for trained two-layer networks: input weights
            and biases that differ by at most ``tol`` in every coordinate are equal, the unit with
            the larger output weight standing for both; weights up to ``tol`` are zero. The
            function then changes a little.
        params: parameters by name that replace the model's own.

    Returns:
        The network, its width or widths, and the fate of every unit: an ``IntrinsicForm`` for a
        two-layer tanh network with one output, else a ``DeepIntrinsicForm``.

    Raises:
        UnsupportedModuleError: if the model is no such network.
        InvalidInputError: if ``tol`` is negative, or not 0 for a deep network, or a parameter is
            not finite.

    References:
        Fukumizu, Neural Networks 9(5), 1996; Vlacic and Boelcskei, Advances in Mathematics 376,
        2021; Zhang et al., JMLR 26(69), 2025, Theorem 4.

    Example:
        >>> import torch
        >>> from llr.models import TwoLayerTanhMLP
        >>> model = TwoLayerTanhMLP(2, width=3, hidden_bias=False)
        >>> rows = torch.tensor([[1.0, 2.0], [-1.0, -2.0], [0.0, 0.0]])
        >>> output = torch.tensor([[3.0, 1.0, 5.0]])
        >>> intrinsic_form(model, params={"hidden.weight": rows, "output.weight": output})
        IntrinsicForm(width=1, from 3 units, tol=0)
          neuron 0 = unit 0 - unit 1
          dropped unit 2: input weights and bias are zero, so it is 0
    """
    check_number("tol", tol, minimum=0.0)
    network = read_two_layer(model, params)
    if network is None or network.units.output.shape[1] != 1:
        return _deep(model, tol, params)
    units = network.units
    group, sign = group_units(units) if tol == 0 else _group_within(network, tol)
    function, kept = merge_units(network, group, sign, tol=tol)
    orientation = {number: int(sign[unit]) for number, unit in kept.items()}
    positions = len(units) // (int(units.channel.max()) + 1)
    return IntrinsicForm(
        model=network_of(
            function,
            hidden_bias=network.hidden_bias,
            output_bias=network.output_bias is not None or bool(function.constant),
            orientation=orientation,
        ),
        width=function.width,
        constant=function.constant_value,
        output_bias=None if network.output_bias is None else float(network.output_bias[0]),
        report=_fates(units, group, sign, kept, tol, positions),
        tol=float(tol),
    )


def _deep(model: nn.Module, tol: float, params: Mapping[str, Tensor] | None) -> DeepIntrinsicForm:
    """The irreducible form of a network of any depth."""
    layers, network = read_fully_connected(model), read_tanh_network(model, params)
    if layers is None or network is None:
        raise UnsupportedModuleError(
            "intrinsic_form must be given a two-layer tanh network, or a fully connected tanh or "
            f"sigmoid network of any depth, got {type(model).__name__}. Networks with other "
            "activations can have irreducible forms of different shapes."
        )
    if tol != 0:
        raise InvalidInputError(
            f"tol must be 0 for a deep network or one with several outputs, got {tol:g}: units are "
            "merged only where they are exactly equal."
        )
    return deep_intrinsic_form(network, "tanh" if layers.activation == "tanh" else "sigmoid")


def network_of(
    function: TwoLayerFunction,
    *,
    hidden_bias: bool,
    output_bias: bool,
    orientation: Mapping[int, int] | None = None,
) -> TwoLayerTanhMLP:
    """A reduced function as a fully connected network, its constant part as the output bias."""
    model = TwoLayerTanhMLP(
        function.input_size,
        width=max(function.width, 1),
        hidden_bias=hidden_bias,
        output_bias=output_bias,
        generator=torch.Generator(),
    )
    state = {name: torch.zeros_like(value) for name, value in model.state_dict().items()}
    for number, neuron in enumerate(function.neurons):
        side = 1 if orientation is None else orientation[number]
        weights = torch.tensor(neuron.weights, dtype=torch.float64)
        state["hidden.weight"][number, list(neuron.coordinates)] = side * weights
        state["output.weight"][0, number] = side * float(neuron.output)
        if hidden_bias:
            state["hidden.bias"][number] = side * neuron.bias
    if output_bias:
        state["output.bias"][0] = function.constant_value
    model.load_state_dict(state)
    return model


def _group_within(network: TwoLayerNetwork, tol: float) -> tuple[Integers, Integers]:
    """Group units within a tolerance, the ones with large output weights first."""
    units = network.units
    n = len(units)
    padded = np.zeros((n, network.input_size + 1))
    np.put_along_axis(padded, units.coordinates, units.weights, axis=1)
    padded[:, -1] = units.bias
    group = np.full(n, CONSTANT, dtype=np.int64)
    sign = np.ones(n, dtype=np.int64)
    waiting = np.flatnonzero(np.abs(units.weights).max(axis=1) > tol)
    waiting = waiting[np.argsort(-np.abs(units.output[waiting, 0]), kind="stable")]
    number = 0
    while len(waiting):
        center = padded[waiting[0]]
        same = np.abs(padded[waiting] - center).max(axis=1) <= tol
        opposite = ~same & (np.abs(padded[waiting] + center).max(axis=1) <= tol)
        group[waiting[same | opposite]] = number
        sign[waiting[opposite]] = -1
        waiting = waiting[~(same | opposite)]
        number += 1
    return group, sign


def _fates(
    units: HiddenUnits,
    group: Integers,
    sign: Integers,
    kept: Mapping[int, int],
    tol: float,
    positions: int,
) -> tuple[UnitFate, ...]:
    """What became of each unit, in order."""
    neuron_of = {int(group[unit]): number for number, unit in kept.items()}
    size = f"at most {tol:g}" if tol else "zero"
    members = np.bincount(group + 1)
    fates = []
    for unit, number in enumerate(group.tolist()):
        output, bias = units.output[unit, 0], units.bias[unit]
        side, neuron = 1, None
        fate = "dropped"
        if number == CONSTANT and abs(output) > tol and abs(bias) > tol:
            fate, side = "constant", 1 if bias > 0 else -1
            reason = f"input weights are {size}, so it is the constant a tanh(b)"
        elif number == CONSTANT and abs(output) > tol:
            reason = f"input weights and bias are {size}, so it is 0"
        elif number == CONSTANT:
            reason = f"input and output weights are {size}"
        elif output == 0:
            reason = "output weight is zero"
        elif number not in neuron_of:
            reason = (
                f"output weight is {size}"
                if members[number + 1] == 1
                else f"the output weights of its {members[number + 1]} equal units add up to {size}"
            )
        else:
            neuron = neuron_of[number]
            stands = kept[neuron]
            side = int(sign[unit] * sign[stands])
            fate = "kept" if unit == stands else "merged"
            reason = (
                f"stands for neuron {neuron}"
                if unit == stands
                else f"equal to the unit of neuron {neuron}{' up to sign' if side < 0 else ''}"
            )
        fates.append(UnitFate(unit // positions, unit % positions, fate, neuron, side, reason))
    return tuple(fates)
