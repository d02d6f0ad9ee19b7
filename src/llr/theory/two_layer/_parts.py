"""Which parameters are the four weights of a two-layer network: kernels, output, their biases."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

__all__ = ["layer_parameters", "parameter_names", "tied_parts", "trainable_parts"]


def parameter_names(
    model: nn.Module, values: Mapping[str, Tensor], parts: Mapping[str, str | None]
) -> dict[str, str] | None:
    """The name in ``named_parameters()`` of each part that exists; None where one has no name.

    A parameter that a module holds under two names has the first of them.
    """
    first = {id(value): name for name, value in model.named_parameters()}
    own = {name: first[id(p)] for name, p in model.named_parameters(remove_duplicate=False)}
    found = {part: own.get(name) for part, name in parts.items() if name is not None}
    named = {part: name for part, name in found.items() if name is not None and name in values}
    return named if len(named) == len(found) else None


def layer_parameters(
    model: nn.Module, values: Mapping[str, Tensor], hidden: str, output: str
) -> dict[str, str] | None:
    """The same for a hidden and an output layer, whose biases may be missing."""
    layers = dict(model.named_modules())
    parts: dict[str, str | None] = {}
    for weight, bias, prefix in (
        ("kernels", "kernel_bias", hidden),
        ("output", "output_bias", output),
    ):
        parts[weight] = f"{prefix}.weight"
        parts[bias] = (
            f"{prefix}.bias" if getattr(layers[prefix], "bias", None) is not None else None
        )
    return parameter_names(model, values, parts)


def trainable_parts(model: nn.Module, found: Mapping[str, str]) -> frozenset[str]:
    """The parts whose parameter requires a gradient."""
    wanted = {name for name, value in model.named_parameters() if value.requires_grad}
    return frozenset(part for part, name in found.items() if name in wanted)


def tied_parts(found: Mapping[str, str]) -> dict[str, str]:
    """Each part that is one parameter with an earlier part, and that part."""
    earlier: dict[str, str] = {}
    tied = {}
    for part, name in found.items():
        if name in earlier:
            tied[part] = earlier[name]
        earlier.setdefault(name, part)
    return tied
