"""Units that express a target at the least rank, and the sizes they prove."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from llr.theory.activations import ActivationRow
from llr.theory.arithmetic import Floats
from llr.theory.two_layer import HiddenUnits, TwoLayerNetwork

__all__ = ["LeastUnits", "Student", "dense_weights", "network_of_units", "no_units"]


@dataclass(frozen=True)
class Student:
    """The fully connected two-layer model in which a target is to be expressed.

    Attributes:
        row: its activation.
        input_size: d.
        n_outputs: c.
        hidden_bias: whether hidden units have a bias.
        output_bias: whether the outputs have one.
        width: m.
    """

    row: ActivationRow
    input_size: int
    n_outputs: int
    hidden_bias: bool
    output_bias: bool
    width: int

    @property
    def affine(self) -> int:
        """Dimension of 1 and x_t, as a unit's slope multiplies them: d, or d + 1 with a bias."""
        return self.input_size + self.hidden_bias

    @property
    def free(self) -> int:
        """Dimensions that the output biases have in every representation."""
        return self.n_outputs * self.output_bias


@dataclass(frozen=True)
class LeastUnits:
    """A representation of least rank, or the best one known.

    Attributes:
        weights: (k, d).
        bias: (k,).
        output: (k, c).
        constant: (c,), the output biases.
        lower: lower bound of the sample size, output biases counted.
        upper: upper bound; equal to ``lower`` where the size is known.
        words: the target in words.
        note: why the witness is at a larger rank than ``upper``; empty where it is not.
        spare_bias: bias of the units that the model has beyond these, where not a copy serves.
        unsettled: why there are bounds only; empty where the size is known.
        assumes: what the size rests on beyond theorems.
    """

    weights: Floats
    bias: Floats
    output: Floats
    constant: Floats
    lower: int
    upper: int
    words: str
    note: str = ""
    spare_bias: float = 0.0
    unsettled: str = ""
    assumes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.bias)


def no_units(student: Student, constant: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Weights, biases, outputs and output biases of a network without units."""
    d, c = student.input_size, student.n_outputs
    return np.zeros((0, d)), np.zeros(0), np.zeros((0, c)), constant


def dense_weights(network: TwoLayerNetwork) -> Floats:
    """The units' weights (N, d) on the whole input."""
    units = network.units
    dense = np.zeros((len(units), network.input_size))
    rows, columns = np.nonzero(units.weights)
    np.add.at(dense, (rows, units.coordinates[rows, columns]), units.weights[rows, columns])
    return dense


def network_of_units(
    student: Student, weights: Floats, bias: Floats, output: Floats
) -> TwoLayerNetwork:
    """A fully connected network made of some units, for its exact rank."""
    n, d = weights.shape
    coordinates = np.tile(np.arange(d), (n, 1))
    parts = {"kernels", "output"}
    parts |= {"kernel_bias"} if student.hidden_bias else set()
    parts |= {"output_bias"} if student.output_bias else set()
    return TwoLayerNetwork(
        units=HiddenUnits(
            channel=np.arange(n),
            kernel=np.arange(n),
            coordinates=coordinates,
            weights=weights,
            slots=coordinates,
            bias=bias,
            output=output,
        ),
        input_size=d,
        hidden_bias=student.hidden_bias,
        output_bias=np.zeros(student.n_outputs) if student.output_bias else None,
        trainable=frozenset(parts),
        activation=student.row.name,
    )
