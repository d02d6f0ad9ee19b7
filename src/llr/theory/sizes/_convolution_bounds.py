"""Bounds for two-layer convolutions with activations that are not odd.

The target is one of the model's own kind, perhaps with fewer channels. From above: the rank of the
target as it is given. From below: of every class of units whose coefficient is not zero some unit
is live in every representation, up to affine functions; it gives sigma(z_g) and, for each weight
of its kernel and its bias, a function of its own. Kernels without sharing have one each; shared
kernels have at least those of one kernel.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.errors import InvalidInputError, NotExpressibleError
from llr.models import TwoLayerStructure, TwoLayerWeights, two_layer_structure
from llr.theory.activations import (
    VALUE_AT_ZERO,
    ExponentialLinear,
    Gaussian,
    Piecewise,
    Smooth,
    row_of,
)
from llr.theory.sizes._sample_size import SampleSize
from llr.theory.sizes._two_layer_sample_size import target_network
from llr.theory.sizes.families import hyperplane_factors, merge_groups
from llr.theory.two_layer import (
    TwoLayerNetwork,
    group_hyperplanes,
    group_units,
    read_structure,
    two_layer_rank,
)

__all__ = ["convolution_bounds"]


def convolution_bounds(
    structure: TwoLayerStructure, target: nn.Module | Mapping[str, Tensor] | int
) -> SampleSize:
    """Bounds on the optimistic sample size of a target of the model's kind.

    Raises:
        NotExpressibleError: if the target has more channels than the model.
        InvalidInputError: if it is of another kind.
    """
    row = row_of(structure.activation)
    assert row is not None
    if isinstance(target, nn.Module):
        _check_kind(structure, target)
    network = target_network(structure, target)
    channels = len(network.units) // structure.positions
    if channels > structure.channels:
        raise NotExpressibleError(
            f"the model must have at least {channels} hidden channels, those of the target, got "
            f"{structure.channels}: whether fewer suffice is not known. "
            f"Build it with width={channels} or more."
        )
    witness = _padded(structure, network, channels)
    found = two_layer_rank(read_structure(structure, witness), row)
    return SampleSize(
        lower=min(_least(structure, network), found.rank),
        upper=found.rank,
        lower_theorem="Theorem 1, counting units that every representation has",
        upper_theorem="Theorem 1, at the target's own parameters",
        published=None,
        target=f"a network with {channels} channel{'s' if channels != 1 else ''}",
        n_parameters=structure.n_parameters,
        witness=witness,
        assumes=found.assumes,
    )


def _check_kind(structure: TwoLayerStructure, target: nn.Module) -> None:
    """The target is a network of the same windows, sharing and activation."""
    own = two_layer_structure(target, activation=None)
    same = ("windows", "shared", "activation", "input_shape")
    if own is None or any(getattr(own, n) != getattr(structure, n) for n in same):
        raise InvalidInputError(
            f"target must be a network of the model's kind, with activation "
            f"{structure.activation!r} and the same kernel size, got {type(target).__name__}: "
            "whether other functions are expressible is not known for this activation."
        )
    for what, needed, has in (
        ("hidden biases", own.hidden_bias, structure.hidden_bias),
        ("an output bias", own.output_bias, structure.output_bias),
    ):
        if needed and not has:
            raise InvalidInputError(
                f"target must have no {what.removeprefix('an ')}, since the model has none, got "
                f"{what}. Build the model with {what}."
            )


def _padded(structure: TwoLayerStructure, network: TwoLayerNetwork, channels: int) -> Parameters:
    """The target's channels, and silent copies of the first for the others."""
    p, q, s = structure.positions, structure.kernels_per_channel, structure.window_size
    units = network.units
    by_slot = np.zeros_like(units.weights)
    np.put_along_axis(by_slot, units.slots, units.weights, axis=1)
    kernels = by_slot.reshape(channels, p, s)[:, :q]
    bias = units.bias.reshape(channels, p)[:, :q]
    output = units.output[:, 0].reshape(channels, p)
    silent = np.zeros(structure.channels - channels, dtype=np.int64)
    copy = VALUE_AT_ZERO[structure.activation] != 0
    weights = TwoLayerWeights(
        kernels=torch.from_numpy(np.concatenate([kernels, copy * kernels[silent]])),
        kernel_bias=(
            torch.from_numpy(np.concatenate([bias, copy * bias[silent]]))
            if structure.hidden_bias
            else None
        ),
        output=torch.from_numpy(np.concatenate([output, 0 * output[silent]])),
        output_bias=(
            torch.tensor(
                0.0 if network.output_bias is None else float(network.output_bias[0]),
                dtype=torch.float64,
            )
            if structure.output_bias
            else None
        ),
    )
    return structure.pack(weights)


def _least(structure: TwoLayerStructure, network: TwoLayerNetwork) -> int:
    """The lower bound; the output bias alone where the classes do not say more."""
    row, free = row_of(structure.activation), int(structure.output_bias)
    assert row is not None
    kind, units = row.kind, network.units
    own, alone = structure.window_size + structure.hidden_bias, 1
    ones = [1] * len(units)
    if isinstance(kind, (Smooth, Gaussian)):
        symmetry = kind.symmetry if isinstance(kind, Smooth) else None
        group, sign = group_units(units, up_to_sign=symmetry is not None or kind == Gaussian())
        odd = symmetry is not None and symmetry.sign < 0
        merged = merge_groups(network, group, sign.tolist() if odd else ones)
    elif isinstance(kind, ExponentialLinear):  # e^z (1 - H) times 1 and x_t
        merged, alone = merge_groups(network, group_units(units, up_to_sign=False)[0], ones), 0
    elif isinstance(kind, Piecewise) and len(kind.knots) == 1:  # H_P times 1 and x_t
        planes = group_hyperplanes(units, np.array([float(kind.knots[0].at)]))[0][:, 0]
        merged, alone = merge_groups(network, planes, hyperplane_factors(network, planes)), 0
    else:
        return free
    k = len(merged)
    if k == 0:
        return free
    return free + (k * alone + own if structure.shared else k * (alone + own))
