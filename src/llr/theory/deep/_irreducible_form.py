r"""The irreducible form of a deep tanh network, and what became of every unit.

A network is irreducible if no hidden unit has zero incoming or zero outgoing weights and no two
units of a layer are equal up to sign. Every network has the function of an irreducible one: units
of one class are merged (their outgoing weights are added up with their signs), constants go into
the biases above, and units that no output depends on are dropped. Irreducible networks with the
same function agree up to the order of units and their signs (Theorem D2), so this form, and with it
the number of its parameters, belongs to the function.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from llr.theory.arithmetic import Floats, Integers
from llr.theory.deep._constant_values import Combination, total
from llr.theory.deep._exact_sums import all_floats, scaled_integers, to_floats
from llr.theory.deep._tanh_network import TanhForm, TanhNetwork
from llr.theory.deep._unit_classes import (
    LayerClasses,
    UnitClasses,
    classify_units,
    constant_parts,
    incoming_weights,
)

__all__ = ["IrreducibleLayer", "IrreducibleNetwork", "irreducible_form"]


@dataclass(frozen=True)
class IrreducibleLayer:
    """One layer of the irreducible form.

    Attributes:
        weight: (m_l, m_{l-1}), to rounding where sums of weights are no floats.
        bias: (m_l,), to rounding.
        needs_bias: whether some bias is not zero, exactly.
        exact: whether weights and biases are exactly these floats.
    """

    weight: Floats
    bias: Floats
    needs_bias: bool
    exact: bool


@dataclass(frozen=True)
class IrreducibleNetwork:
    """The irreducible form of a network.

    Attributes:
        layers: layers 1..L; without hidden units in layer L-1 the function is constant, and equal
            to the last bias.
        classes: of the original network's units.
        kept: for each hidden layer the classes that have an effect, in order; a class is written
            with the orientation of its first unit.
        absorbed: for each hidden layer the constant units whose value joins a bias above.
    """

    layers: tuple[IrreducibleLayer, ...]
    classes: UnitClasses
    kept: tuple[Integers, ...]
    absorbed: tuple[frozenset[int], ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Hidden widths m_1..m_{L-1}; zeros where the function is constant."""
        return tuple(len(kept) for kept in self.kept)

    @property
    def constant(self) -> bool:
        """Whether the function is constant."""
        return self.widths[-1] == 0


def irreducible_form(network: TanhNetwork) -> IrreducibleNetwork:
    """Reduce a network: classes from the first layer up, useless units from the last down."""
    classes = classify_units(network)
    form = network.form
    rows = np.arange(network.sizes[-1])  # units of the layer above that have an effect
    layers: list[IrreducibleLayer] = []
    kept: list[Integers] = []
    absorbed: list[frozenset[int]] = []
    for number in reversed(range(len(network.layers))):
        below = classes.layers[number]
        own = TanhForm(Fraction(0), Fraction(1), Fraction(1)) if number == 0 else form
        layer, used = _reduce(network, number, rows, below, own, classes)
        layers.append(layer)
        if number > 0:
            reached = (network.layers[number].weight[rows] != 0).any(axis=0)
            constants = (unit for unit, value in below.values.items() if value or form.offset)
            absorbed.append(frozenset(unit for unit in constants if reached[unit]))
            kept.append(used)
            rows = below.representative[used]
    return IrreducibleNetwork(
        tuple(reversed(layers)), classes, tuple(reversed(kept)), tuple(reversed(absorbed))
    )


def _reduce(
    network: TanhNetwork,
    number: int,
    rows: Integers,
    below: LayerClasses,
    form: TanhForm,
    classes: UnitClasses,
) -> tuple[IrreducibleLayer, Integers]:
    """One layer with the rows that have an effect, and the classes below that it depends on."""
    layer = network.layers[number]
    singles, alone, sums, several, exponent = incoming_weights(layer.weight[rows], below)
    side = below.sign[below.representative]
    rounded = to_floats(sums, exponent)
    weight = np.zeros((len(rows), below.n_groups))
    weight[:, alone], weight[:, several] = singles, rounded
    weight *= side
    nonzero = np.zeros(weight.shape, dtype=bool)
    nonzero[:, alone], nonzero[:, several] = singles != 0, sums != 0
    used = np.arange(below.n_groups) if number == 0 else np.flatnonzero(nonzero.any(axis=0))
    biases = constant_parts(layer, below, form)
    parts = [biases[row] for row in rows]
    if form.offset:  # y = offset + scale tanh: merged weights carry offsets of their own
        whole, power = scaled_integers(singles * side[alone])
        carried = [
            int(own) * Fraction(2) ** power + int(merged) * Fraction(2) ** exponent
            for own, merged in zip(
                whole.sum(axis=1), (sums * side[several]).sum(axis=1), strict=True
            )
        ]
        parts = [
            total([part, Combination.rational(-form.offset * value)])
            for part, value in zip(parts, carried, strict=True)
        ]
    bias = np.array([classes.values.number(part) for part in parts], dtype=np.float64)
    exact = all(not part.nested for part in parts) and all(
        Fraction(float(value)) == (part.terms[0][1] if part else 0)
        for value, part in zip(bias, parts, strict=True)
    )
    exact = exact and all_floats(sums)
    return IrreducibleLayer(weight[:, used], bias, any(parts), exact), used
