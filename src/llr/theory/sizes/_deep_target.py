"""Targets of fully connected networks of any depth, read as networks with the model's names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.errors import InvalidInputError, check_positive_int, check_shape
from llr.seeds import generator
from llr.theory.deep import FullyConnected, read_fully_connected

__all__ = ["deep_target"]


def deep_target(
    layers: FullyConnected, target: nn.Module | Mapping[str, Tensor] | int
) -> tuple[FullyConnected, Parameters]:
    """The target's layers, with its own widths and biases and the model's names.

    Args:
        layers: of the model.
        target: a network of the model's kind, parameters of one, or a width for a generic one.

    Returns:
        The layers, and the parameters by name, in float64.

    Raises:
        InvalidInputError: if the target is of another depth, activation, input or output size.
    """
    if isinstance(target, int):
        check_positive_int("target", target)
        return _generic(layers, target)
    weights, biases = (
        _of_module(layers, target) if isinstance(target, nn.Module) else _of_state(layers, target)
    )
    widths = tuple(weight.shape[0] for weight in weights[:-1])
    sizes = (layers.sizes[0], *widths, layers.sizes[-1])
    values: Parameters = {}
    names: list[str | None] = []
    for l, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        check_shape(f"target's weight of layer {l + 1}", weight.shape, (sizes[l + 1], sizes[l]))
        values[layers.weights[l]] = weight.detach().double()
        names.append(None if bias is None else bias_name(layers, l))
        if bias is not None:
            check_shape(f"target's bias of layer {l + 1}", bias.shape, (sizes[l + 1],))
            values[bias_name(layers, l)] = bias.detach().double()
    return replace(layers, sizes=sizes, biases=tuple(names)), values


def bias_name(layers: FullyConnected, l: int) -> str:
    """The name of the bias of layer l + 1, whether or not there is one."""
    return f"{layers.weights[l].removesuffix('weight')}bias"


def _of_module(
    layers: FullyConnected, target: nn.Module
) -> tuple[Sequence[Tensor], Sequence[Tensor | None]]:
    """Weights and biases of a module."""
    source = read_fully_connected(target)
    if source is None:
        raise InvalidInputError(
            "target must be a fully connected network, parameters of the model, or a width, "
            f"got {type(target).__name__}."
        )
    for what, got, wanted in (
        ("depth", source.depth, layers.depth),
        ("activation", source.activation, layers.activation),
        ("input size", source.sizes[0], layers.sizes[0]),
        ("output size", source.sizes[-1], layers.sizes[-1]),
    ):
        if got != wanted:
            raise InvalidInputError(
                f"target must have the model's {what}, {wanted}, got {got}. Theorem 3 "
                "compares networks that differ in width only."
            )
    given = dict(target.named_parameters(remove_duplicate=False))
    weights = [given[name] for name in source.weights]
    return weights, [None if name is None else given[name] for name in source.biases]


def _of_state(
    layers: FullyConnected, target: Mapping[str, Tensor]
) -> tuple[Sequence[Tensor], Sequence[Tensor | None]]:
    """Weights and biases of a state dict with the model's names."""
    missing = [name for name in layers.weights if name not in target]
    if missing:
        raise InvalidInputError(
            f"a target state dict must have the model's weights {list(layers.weights)}, got "
            f"none of {missing}."
        )
    weights = [target[name] for name in layers.weights]
    return weights, [target.get(bias_name(layers, l)) for l in range(layers.depth)]


def _generic(layers: FullyConnected, width: int) -> tuple[FullyConnected, Parameters]:
    """A generic network with every hidden layer of one width."""
    sizes = (layers.sizes[0], *[width] * len(layers.widths), layers.sizes[-1])
    stream = generator(0, "target")
    values: Parameters = {}
    for l, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
        shape = (sizes[l + 1], sizes[l])
        values[weight] = torch.randn(shape, generator=stream, dtype=torch.float64)
        if bias is not None:
            values[bias] = torch.randn(shape[0], generator=stream, dtype=torch.float64)
    return replace(layers, sizes=sizes), values
