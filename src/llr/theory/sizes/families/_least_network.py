"""The least representation of a target in a fully connected two-layer model, by family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llr.errors import NotExpressibleError
from llr.theory.activations import Exponential, Piecewise, Wave
from llr.theory.sizes.families._distinct_units import distinct_units
from llr.theory.sizes.families._flipped_units import flipped_units
from llr.theory.sizes.families._frequencies import frequency_units
from llr.theory.sizes.families._knot_bounds import knot_bounds
from llr.theory.sizes.families._least_units import LeastUnits, Student, network_of_units
from llr.theory.sizes.families._oriented_classes import flip_of
from llr.theory.sizes.families._powers import degree_of, power_units
from llr.theory.two_layer import TwoLayerNetwork, two_layer_rank

__all__ = ["least_network"]


def least_network(student: Student, target: TwoLayerNetwork) -> LeastUnits:
    """The least representation of a target, or the best one known.

    Raises:
        NotExpressibleError: if the model has none, saying why.
    """
    found = _with_stated(student, _by_family(student, target))
    if not student.hidden_bias and found.bias.any():
        raise NotExpressibleError(
            "the model's hidden units must have biases for this target, got none. "
            "Build the model with hidden_bias=True."
        )
    if len(found) > student.width:
        raise NotExpressibleError(
            f"the model must have at least {len(found)} hidden neurons for this target, got "
            f"{student.width}. Build it with width={len(found)} or more."
        )
    if found.lower < found.upper and not found.note:
        network = network_of_units(student, found.weights, found.bias, found.output)
        found = replace(found, upper=two_layer_rank(network, student.row).rank)
    return found


def _with_stated(student: Student, found: LeastUnits) -> LeastUnits:
    """The result with what a registered activation rests on."""
    return replace(found, assumes=(*student.row.assumes, *found.assumes))


def _by_family(student: Student, target: TwoLayerNetwork) -> LeastUnits:
    """The family's representation."""
    kind, degree = student.row.kind, degree_of(student)
    if degree is not None:
        return power_units(student, target, degree)
    if flip_of(student.row) is not None:
        return flipped_units(student, target)
    if isinstance(kind, Wave):
        return frequency_units(student, target)
    if isinstance(kind, Piecewise) and len(kind.knots) > 1:
        return knot_bounds(student, target)
    if isinstance(kind, Exponential) and not student.hidden_bias:
        target = _biases_in_outputs(target)
    return distinct_units(student, target)


def _biases_in_outputs(target: TwoLayerNetwork) -> TwoLayerNetwork:
    """e^b as a factor of the output weight."""
    units = target.units
    scaled = units.output * np.exp(units.bias)[:, None]
    return replace(target, units=replace(units, output=scaled, bias=np.zeros_like(units.bias)))
