"""The parameters of a module by name, with replacements."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from llr._types import Parameters
from llr.errors import InvalidInputError, check_shape, did_you_mean, kind_of, quoted_list

__all__ = ["named_values"]


def named_values(model: nn.Module, params: Mapping[str, Tensor] | None) -> Parameters:
    """The model's parameters by name, those in ``params`` taken from there.

    Raises:
        InvalidInputError: if the model is no module, a name is unknown or a shape differs.
    """
    if not isinstance(model, nn.Module):
        raise InvalidInputError(
            f"model must be an nn.Module with its parameters, got {kind_of(model)}."
        )
    values: Parameters = dict(model.named_parameters())
    for name, value in (params or {}).items():
        if name not in values:
            raise InvalidInputError(
                f"params may hold the model's parameters {quoted_list(values)}, got {name!r}."
                f"{did_you_mean(name, values)}"
            )
        check_shape(f"params[{name!r}]", value.shape, values[name].shape)
        values[name] = value
    return values
