"""A model as a pure function of its trainable parameters and one batch, in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.errors import InvalidInputError, UnsupportedModuleError
from llr.tangent._model_outputs import output_leaves
from llr.tangent._samples import Samples, map_samples, sample_count

__all__ = ["Model", "ModelFunction"]

Model: TypeAlias = nn.Module | Callable[[Parameters, Samples], Tensor]
"""A module, or a function ``(params, x) -> y`` of a batch."""


@dataclass(frozen=True)
class ModelFunction:
    """f(x; theta) of a batch, theta being the trainable parameters in order.

    Attributes:
        params: the parameters that make the columns of J, float64, detached copies.
        raw: the model's own outputs for (all values of theta, a batch).
        module: the user's module, where there is one; it is only read.
    """

    params: Parameters
    raw: Callable[[Parameters, Samples], object]
    module: nn.Module | None = None

    @cached_property
    def n_params(self) -> int:
        """M, the number of trainable parameters."""
        return sum(value.numel() for value in self.params.values())

    @cached_property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return next(iter(self.params.values())).device

    def split(self, theta: Tensor) -> Parameters:
        """A vector (M,), or vectors (k, M), as parameters by name, with the leading axis kept."""
        parts = theta.split([value.numel() for value in self.params.values()], dim=-1)
        return {
            name: part.reshape((*theta.shape[:-1], *value.shape))
            for (name, value), part in zip(self.params.items(), parts, strict=True)
        }

    def with_params(self, params: Parameters) -> ModelFunction:
        """The same model at another point."""
        return ModelFunction(params, self.raw, self.module)

    def __call__(self, params: Parameters, x: Samples) -> Tensor:
        """Outputs of shape (n, c) at a batch of n samples; work in place is done on a copy."""
        n = sample_count(x)
        try:
            out = self.raw(params, map_samples(torch.clone, x))
        except RuntimeError as error:
            if "expected" in str(error) and "dtype" in str(error):
                raise UnsupportedModuleError(
                    "the model must compute in the dtype of its parameters, since tangent "
                    f"matrices are float64; it failed there: {error} Register constant tensors "
                    "with register_buffer, and write x.to(weight.dtype) in place of x.float()."
                ) from error
            raise
        leaves = output_leaves(out)
        for leaf in leaves:
            if leaf.layout != torch.strided:
                raise UnsupportedModuleError(
                    "the model must return dense tensors, got one of layout "
                    f"{str(leaf.layout).removeprefix('torch.')}. Return y.to_dense()."
                )
            if leaf.dtype != torch.float64:
                raise UnsupportedModuleError(
                    "the model must return real floating-point tensors and compute them in the "
                    f"dtype of its parameters (float64 here), got {leaf.dtype}. "
                    "Remove casts such as .float() or .half() from its forward."
                )
            if leaf.dim() == 0 or leaf.shape[0] != n:
                raise InvalidInputError(
                    f"the model must return one output for each of the {n} samples along the "
                    f"first axis, got shape {tuple(leaf.shape)}."
                )
        return torch.cat([leaf.reshape(n, -1) for leaf in leaves], dim=1)
