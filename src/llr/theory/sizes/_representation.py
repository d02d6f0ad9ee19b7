"""Representations of a reduced function in a two-layer model, of least rank.

Without weight sharing (fully connected networks are the case of one window) every target neuron
needs a unit with nonzero output weight, which gives tanh(z_g), tanh'(z_g) and tanh'(z_g) x_t for
each t in its window, and a constant part without output bias needs a unit with w = 0, b != 0,
which gives 1 and x_t for its window. One unit each attains that.

With weight sharing a kernel brings all of its p neurons. Take any representation, and among the
kernels' output vectors (as vectors over neurons) a basis B of their span. The function's own
vector alpha lies in the span, so the kernels of B express it alone; dropping the others leaves
tanh(z_g) for the union of their neurons, and independent tanh'(z_g) and tanh'(z_g) x columns,
|B| (s + bias) of them, since for each relative coordinate they are the independent vectors of B.
So the least rank is the least (number of neurons in the union) + (s + bias) (number of kernels)
over the sets of kernels whose neurons cover the target's: a covering problem, solved exactly for
each class of kernels that are shifts of one another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from scipy.sparse import csgraph

from llr.errors import NotExpressibleError
from llr.models import ACTIVATIONS, TwoLayerStructure, TwoLayerWeights
from llr.theory.activations import FLAT_POINTS
from llr.theory.sizes._set_cover import Cover, least_covers
from llr.theory.two_layer import Neuron, NeuronKey, TwoLayerFunction

__all__ = ["Representation", "represent"]


@dataclass(frozen=True)
class Representation:
    """A function in a model's parameters, with the rank it has there.

    Attributes:
        weights: the parameters.
        lower: lower bound of the least rank, without the output bias.
        upper: rank of this representation, without the output bias.
        channels: least number K of channels that express the neurons.
        neurons: number of neurons that the chosen channels have, silent ones included.
    """

    weights: TwoLayerWeights
    lower: int
    upper: int
    channels: int
    neurons: int


@dataclass(frozen=True)
class _Unit:
    """A kernel put somewhere: channel, position (None: all of them), kernel, bias, outputs."""

    channel: int
    position: int | None
    kernel: Sequence[float]
    bias: float
    output: dict[int, float]


def represent(
    structure: TwoLayerStructure, function: TwoLayerFunction, *, price: int | None = None
) -> Representation:
    """A representation of least rank, or with sharing of least (neurons + price x kernels).

    Args:
        structure: of the model.
        function: the target.
        price: of a kernel; None: what a kernel adds to the rank.

    Returns:
        The representation; with a price, its bounds are those of that sum.

    Raises:
        NotExpressibleError: if there is none, saying why.
    """
    if not structure.hidden_bias:
        for neuron in function.neurons:
            if neuron.bias:
                raise NotExpressibleError(
                    "the model's hidden units must have biases for this target, got none: the "
                    f"target's {_describe(neuron)} has bias {neuron.bias:g}. "
                    "Build the model with hidden_bias=True."
                )
    constant_unit = bool(function.constant) and not structure.output_bias
    if constant_unit and not structure.hidden_bias:
        raise NotExpressibleError(
            "the model must have an output bias or hidden biases for this target, got neither: "
            f"the target has the constant part {function.constant_value:g}. "
            "Build the model with output_bias=True (free) or hidden_bias=True."
        )
    windows = _windows_of(structure, function)
    if structure.shared and structure.positions > 1:
        price = structure.window_size + structure.hidden_bias if price is None else price
        found = _with_sharing(structure, function, windows, constant_unit, price)
    else:
        found = _without_sharing(structure, function, windows, constant_unit)
    units, lower, upper, channels, neurons = found
    if constant_unit:
        cost = 1 if structure.activation in FLAT_POINTS else 1 + structure.window_size
        lower, upper = lower + cost, upper + cost
        units.append(_constant_unit(structure, function, units))
    return Representation(_weights(structure, function, units), lower, upper, channels, neurons)


def _windows_of(structure: TwoLayerStructure, function: TwoLayerFunction) -> list[list[int]]:
    """For each neuron, the positions whose window holds all of its weights."""
    holding: dict[int, set[int]] = defaultdict(set)
    for position, window in enumerate(structure.windows):
        for coordinate in window:
            holding[coordinate].add(position)
    windows = []
    for neuron in function.neurons:
        common = set.intersection(*(holding[t] for t in neuron.coordinates))
        if not common:
            raise NotExpressibleError(
                "every neuron of the target must fit into a window of the model, "
                f"{structure.window_size} neighbouring coordinates, got one that does not: the "
                f"{_describe(neuron)}. Use a larger kernel_size or a fully connected model."
            )
        windows.append(sorted(common))
    return windows


def _describe(neuron: Neuron) -> str:
    """A neuron in words."""
    shown = ", ".join(str(t) for t in neuron.coordinates[:8])
    more = ", ..." if len(neuron.coordinates) > 8 else ""
    return f"neuron with nonzero weights at input coordinates {shown}{more}"


def _too_narrow(
    structure: TwoLayerStructure, needed: int, constant_unit: bool
) -> NotExpressibleError:
    """The error for a model with too few channels."""
    what = "neurons" if structure.positions == 1 else "channels"
    constant = ", one of them for the constant part" if constant_unit else ""
    return NotExpressibleError(
        f"the model must have at least {needed} hidden {what} for this target{constant}, got "
        f"{structure.channels}. Build it with width={needed} or more."
    )


def _kernel_at(structure: TwoLayerStructure, neuron: Neuron, position: int) -> list[float]:
    """The neuron's weights as a kernel at a position."""
    weight = dict(zip(neuron.coordinates, neuron.weights, strict=True))
    return [weight.get(t, 0.0) for t in structure.windows[position]]


def _without_sharing(
    structure: TwoLayerStructure,
    function: TwoLayerFunction,
    windows: list[list[int]],
    constant_unit: bool,
) -> tuple[list[_Unit], int, int, int, int]:
    """One unit a neuron: a matching of neurons to positions, each with C units."""
    n, p = function.width, structure.positions
    needed, position_of = _least_channels(windows, p)
    # A constant unit takes any free place.
    total = needed + 1 if constant_unit and needed * p == n else needed
    if total > structure.channels:
        raise _too_narrow(structure, total, constant_unit)
    used: dict[int, int] = defaultdict(int)
    units = []
    for neuron, position in zip(function.neurons, position_of, strict=True):
        channel = used[position]
        used[position] += 1
        kernel = _kernel_at(structure, neuron, position)
        units.append(
            _Unit(channel, position, kernel, neuron.bias, {position: float(neuron.output)})
        )
    rank = n * (1 + structure.window_size + structure.hidden_bias)
    return units, rank, rank, needed, n


def _least_channels(windows: list[list[int]], n_positions: int) -> tuple[int, list[int]]:
    """Least number of units a position so that every neuron has a place, and the places."""
    n = len(windows)
    if n == 0:
        return 0, []
    low, high = -(-n // n_positions), n
    places = _matching(windows, n_positions, high)
    while low < high:
        middle = (low + high) // 2
        found = _matching(windows, n_positions, middle)
        if found is None:
            low = middle + 1
        else:
            high, places = middle, found
    assert places is not None
    return high, places


def _matching(windows: list[list[int]], n_positions: int, capacity: int) -> list[int] | None:
    """A position for every neuron, at most ``capacity`` a position, or None."""
    n = len(windows)
    if all(len(options) == 1 for options in windows):
        places = [options[0] for options in windows]
        return places if np.bincount(places).max() <= capacity else None
    # Maximum flow: source 0, neurons 1..n, positions n+1.., sink last.
    source, sink = 0, n + n_positions + 1
    edges = [(source, 1 + i, 1) for i in range(n)]
    edges += [(1 + i, 1 + n + j, 1) for i, options in enumerate(windows) for j in options]
    edges += [(1 + n + j, sink, capacity) for j in range(n_positions)]
    rows, columns, capacities = (
        np.array(part, dtype=np.int32) for part in zip(*edges, strict=True)
    )
    graph = sparse.csr_array((capacities, (rows, columns)), shape=(sink + 1, sink + 1))
    result = csgraph.maximum_flow(graph, source, sink)
    if result.flow_value < n:
        return None
    flow = result.flow.tocsr()
    places = []
    for i in range(n):
        row = flow.indices[flow.indptr[1 + i] : flow.indptr[2 + i]]
        value = flow.data[flow.indptr[1 + i] : flow.indptr[2 + i]]
        places.append(int(row[value > 0][0]) - 1 - n)
    return places


def _with_sharing(
    structure: TwoLayerStructure,
    function: TwoLayerFunction,
    windows: list[list[int]],
    constant_unit: bool,
    price: int,
) -> tuple[list[_Unit], int, int, int, int]:
    """The cheapest kernels whose neurons cover the target's."""
    kernels, classes = _candidates(structure, function, windows)
    left = {neuron.key: float(neuron.output) for neuron in function.neurons}
    solved = [
        least_covers(wanted, masks, price)
        for wanted, masks in (_as_masks(kernels, members, left) for members in classes)
    ]
    budget = structure.channels - constant_unit
    choice = _within_budget([covers.options for covers in solved], budget)
    least = sum(len(covers.options[0].chosen) for covers in solved)
    if choice is None:
        if all(covers.complete for covers in solved):
            raise _too_narrow(structure, least + constant_unit, constant_unit)
        raise NotExpressibleError(
            f"no representation of this target with {budget} kernels was found, one with {least} "
            "was; whether fewer suffice is a covering problem too large to settle. "
            f"Build the model with width={least + constant_unit}."
        )
    units: list[_Unit] = []
    lower = upper = union = 0
    for members, cover, covers in zip(classes, choice, solved, strict=True):
        upper += cover.cost
        lower += cover.cost if covers.complete else covers.bound
        union += cover.cost - price * len(cover.chosen)
        for member in cover.chosen:
            kernel = kernels[members[member]]
            output = {j: left.pop(key) for j, key in enumerate(kernel.neurons) if key in left}
            units.append(_Unit(len(units), None, kernel.weights, kernel.bias, output))
    return units, lower, upper, least, union


@dataclass(frozen=True)
class _Kernel:
    """A kernel that expresses some target neuron, and the neurons it has, by position."""

    weights: tuple[float, ...]
    bias: float
    neurons: tuple[NeuronKey, ...]


def _candidates(
    structure: TwoLayerStructure, function: TwoLayerFunction, windows: list[list[int]]
) -> tuple[list[_Kernel], list[list[int]]]:
    """Kernels worth considering, in classes that share neurons, directly or through others."""
    kernels: dict[tuple[object, ...], _Kernel] = {}
    for neuron, positions in zip(function.neurons, windows, strict=True):
        for position in positions:
            weights = tuple(_kernel_at(structure, neuron, position))
            if (weights, neuron.bias) in kernels:
                continue
            taps = [t for t, w in enumerate(weights) if w]
            values = tuple(weights[t] for t in taps)
            neurons = tuple(
                (tuple(window[t] for t in taps), values, neuron.bias)
                for window in structure.windows
            )
            kernels[weights, neuron.bias] = _Kernel(weights, neuron.bias, neurons)
    ordered = list(kernels.values())
    class_of: dict[NeuronKey, int] = {}
    members: dict[int, list[int]] = {}
    for index, kernel in enumerate(ordered):
        met = {class_of[key] for key in kernel.neurons if key in class_of}
        members[index] = [i for number in met for i in members.pop(number)] + [index]
        for i in members[index] if met else [index]:
            class_of.update(dict.fromkeys(ordered[i].neurons, index))
    return ordered, list(members.values())


def _as_masks(
    kernels: list[_Kernel], members: list[int], wanted: Container[NeuronKey]
) -> tuple[int, list[int]]:
    """The target's neurons in a class, and each kernel's neurons, as bit masks."""
    number: dict[NeuronKey, int] = {}
    masks = [
        sum(1 << number.setdefault(key, len(number)) for key in kernels[i].neurons) for i in members
    ]
    return sum(1 << i for key, i in number.items() if key in wanted), masks


def _within_budget(options: list[list[Cover]], budget: int) -> list[Cover] | None:
    """One cover for each class, at most ``budget`` sets in all, at the least total cost."""
    best: dict[int, tuple[int, list[Cover]]] = {0: (0, [])}  # by sets used
    for covers in options:
        step: dict[int, tuple[int, list[Cover]]] = {}
        for used, (cost, chosen) in best.items():
            for cover in covers:
                count, total = used + len(cover.chosen), cost + cover.cost
                if count <= budget and (count not in step or total < step[count][0]):
                    step[count] = (total, [*chosen, cover])
        best = step
    return min(best.values(), key=lambda item: item[0])[1] if best else None


def _constant_unit(
    structure: TwoLayerStructure, function: TwoLayerFunction, units: list[_Unit]
) -> _Unit:
    """A unit with zero input weights whose value is the constant part."""
    taken = {(unit.channel, unit.position) for unit in units}
    channels = {unit.channel for unit in units}
    bias = FLAT_POINTS[structure.activation].bias if structure.activation in FLAT_POINTS else 1.0
    sigma = ACTIVATIONS[structure.activation].function
    value = function.constant_value / float(sigma(torch.tensor(bias, dtype=torch.float64)))
    plain = structure.activation not in FLAT_POINTS
    if plain and len(function.constant) == 1 and 0.0 not in function.constant:
        ((bias, factor),) = function.constant.items()
        value = float(factor)
    kernel = [0.0] * structure.window_size
    if structure.shared and structure.positions > 1:
        return _Unit(len(channels), None, kernel, bias, {0: value})
    channel, position = next(
        (i, j)
        for i in range(structure.channels)
        for j in range(structure.positions)
        if (i, j) not in taken
    )
    return _Unit(channel, position, kernel, bias, {position: value})


def _weights(
    structure: TwoLayerStructure, function: TwoLayerFunction, units: list[_Unit]
) -> TwoLayerWeights:
    """The parameters made of these units, every other unit null."""
    c, p, q = structure.channels, structure.positions, structure.kernels_per_channel
    kernels = torch.zeros(c, q, structure.window_size, dtype=torch.float64)
    bias = torch.zeros(c, q, dtype=torch.float64)
    output = torch.zeros(c, p, dtype=torch.float64)
    for unit in units:
        slot = 0 if structure.shared or unit.position is None else unit.position
        kernels[unit.channel, slot] = torch.tensor(unit.kernel, dtype=torch.float64)
        bias[unit.channel, slot] = unit.bias
        for position, value in unit.output.items():
            output[unit.channel, position] = value
    return TwoLayerWeights(
        kernels=kernels,
        kernel_bias=bias if structure.hidden_bias else None,
        output=output,
        output_bias=(
            torch.tensor(function.constant_value, dtype=torch.float64)
            if structure.output_bias
            else None
        ),
    )
