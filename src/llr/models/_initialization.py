"""Initialisation of any module from a named generator."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from llr.errors import InvalidInputError, check_choice, check_number
from llr.seeds import drawing_from

__all__ = ["InitMethod", "initialize"]

InitMethod = Literal["normal", "default"]


def initialize(
    model: nn.Module,
    *,
    method: InitMethod = "normal",
    std: float = 1e-10,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """Redraw the parameters of a module, in place.

    Args:
        model: any module.
        method: ``"normal"``: every parameter from N(0, std^2), in ``named_parameters`` order;
            ``"default"``: each layer's own ``reset_parameters``, PyTorch's default.
        std: standard deviation for ``"normal"``, >= 0.
        generator: CPU generator; None: the global one. Numbers are drawn on the CPU in float64
            and then moved, so that they do not depend on the device or dtype.

    Returns:
        The same module.

    Raises:
        InvalidInputError: if an option is wrong, or ``"default"`` meets a parameter whose module
            has no ``reset_parameters``.

    Example:
        >>> from llr.models import TwoLayerTanhMLP
        >>> model = initialize(TwoLayerTanhMLP(5, width=3), std=0.0)
        >>> max(p.abs().max().item() for p in model.parameters())
        0.0
    """
    check_choice("method", method, ("normal", "default"))
    if method == "normal":
        check_number("std", std, minimum=0.0)
        with torch.no_grad():
            for parameter in model.parameters():
                draw = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.copy_(std * draw)
        return model
    with drawing_from(generator), torch.no_grad():
        for name, module in model.named_modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
            elif next(module.parameters(recurse=False), None) is not None:
                raise InvalidInputError(
                    f"method='default' needs a reset_parameters method on every module with "
                    f"parameters; {name or type(model).__name__!r} has none. "
                    "Use method='normal', or initialise it yourself."
                )
    return model
