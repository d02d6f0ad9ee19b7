"""Hidden units of two-layer networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llr.theory.arithmetic import Floats, Integers

__all__ = [
    "PADDING",
    "HiddenUnits",
    "TwoLayerNetwork",
]


PADDING = -1
"""Coordinate of the zeros around the input."""


@dataclass(frozen=True)
class HiddenUnits:
    """The N = C P hidden units of a network, channel by channel, position by position.

    Attributes:
        channel: (N,), the channel of each unit.
        kernel: (N,), which kernel (and bias) each unit uses; shared units use the same.
        coordinates: (N, s), the input coordinates of the unit's window, ascending; ``PADDING``
            where the window reaches beyond the input, with weight zero.
        weights: (N, s), the weights of these coordinates.
        slots: (N, s), the place of each of these weights in its kernel.
        bias: (N,), zero where there are no biases.
        output: (N, c), output weights.
    """

    channel: Integers
    kernel: Integers
    coordinates: Integers
    weights: Floats
    slots: Integers
    bias: Floats
    output: Floats

    def __len__(self) -> int:
        return len(self.bias)


@dataclass(frozen=True)
class TwoLayerNetwork:
    """A two-layer network at a parameter point.

    Attributes:
        units: its hidden units.
        input_size: number of input coordinates.
        hidden_bias: whether hidden units have a bias.
        output_bias: the output bias (c,), or None where there is none.
        trainable: names of the weights ("kernels", "kernel_bias", "output", "output_bias") that
            count as parameters.
        activation: name of the activation, a key of ``llr.models.ACTIVATIONS``.
        tied: weights that are one parameter with another, and the name of that other.
    """

    units: HiddenUnits
    input_size: int
    hidden_bias: bool
    output_bias: Floats | None
    trainable: frozenset[str]
    activation: str = "tanh"
    tied: Mapping[str, str] = field(default_factory=dict)
