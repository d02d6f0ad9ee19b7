"""Fit all layers of a narrow network at once to the wide network's function."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

from llr.diagnostics.condensing._marquardt import marquardt
from llr.diagnostics.condensing._narrow_module import narrow_module, read_back
from llr.diagnostics.condensing._wide_values import LayeredFunction
from llr.tangent import as_function

__all__ = ["fit_jointly"]

STEPS = 60
CHUNK = 256  # samples differentiated at once


def fit_jointly(
    module: nn.Module, reduced: LayeredFunction, x: Tensor, wanted: Tensor
) -> LayeredFunction:
    """The reduced network after least squares on its outputs, with the exact Jacobian.

    Args:
        module: the wide network.
        reduced: the network to begin with.
        x: samples.
        wanted: outputs (n, c) of the wide network.

    Returns:
        The fitted network.
    """
    function = as_function(narrow_module(module, reduced))

    def outputs(theta: Tensor) -> Tensor:
        with torch.no_grad():
            return function(function.split(theta), x)

    def one_output(theta: Tensor, sample: Tensor) -> Tensor:
        return function(function.split(theta), sample[None])[0]

    def jacobian(theta: Tensor, _: Tensor) -> Tensor:
        rows = vmap(jacrev(one_output), (None, 0), chunk_size=CHUNK)(theta, x)
        return rows.flatten(0, 1)

    theta, _, _ = marquardt(
        torch.cat([value.flatten() for value in function.params.values()]),
        outputs,
        lambda y: (y - wanted).flatten(),
        jacobian,
        scale=float(wanted.norm()),
        max_steps=STEPS,
    )
    return read_back(reduced, function.split(theta))
