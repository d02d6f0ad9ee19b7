"""What does not fit together in a config's models and their sizes."""

from __future__ import annotations

from collections.abc import Iterator

from llr.config._choices import CONVOLUTIONS, FULLY_CONNECTED, NETWORKS, WIDTHLESS
from llr.config._schema import Config
from llr.config._words import REMOVE, listed

__all__ = ["model_faults"]


def model_faults(config: Config) -> Iterator[str]:
    """A sentence for each, naming the keys."""
    yield from _widths(config)
    yield from _activations(config)
    yield from _sizes(config)


def _widths(config: Config) -> Iterator[str]:
    """A scale, a width, or a width for each layer, where there is one."""
    model, models = config.model, config.all_models
    yield from _layer_widths(config)
    if model.scale is not None and model.width is not None:
        yield (
            f"model.scale = {model.scale} and model.width = {model.width} must not both be given: "
            "remove one (or set it to null)."
        )
    elif model.width is not None and config.sweep.enabled and config.sweep.scales is not None:
        yield (
            f"sweep.scales = [{listed(config.sweep.scales)}] has no meaning beside model.width = "
            f"{model.width}: {REMOVE}."
        )
    if all(name in WIDTHLESS for name in models):
        for key, value in (("model.scale", model.scale), ("model.width", model.width)):
            if value is not None:
                yield f"{key} has no meaning for {listed(models)}, got {value}: {REMOVE}."


def _layer_widths(config: Config) -> Iterator[str]:
    """``model.widths`` says all about the sizes of a deep_mlp, and nothing about other models."""
    model = config.model
    if model.widths is None:
        return
    widths = f"model.widths = [{listed(model.widths)}]"
    for key in ("scale", "width", "depth"):
        value = getattr(model, key)
        if value is not None:
            yield (
                f"{widths} and model.{key} = {value} must not both be given: "
                "remove one (or set it to null)."
            )
    if config.sweep.enabled and config.sweep.scales is not None:
        yield (
            f"sweep.scales = [{listed(config.sweep.scales)}] has no meaning beside {widths}: "
            f"{REMOVE}."
        )
    others = [name for name in config.all_models if name != "deep_mlp"]
    if others:
        yield f"{widths} has a meaning for deep_mlp only, got {', '.join(others)}: {REMOVE}."


def _activations(config: Config) -> Iterator[str]:
    """An activation only where a model has hidden units."""
    activation, models = config.model.activation, config.all_models
    if activation is not None and not any(name in NETWORKS for name in models):
        yield f"model.activation has no meaning for {listed(models)}, got {activation}: {REMOVE}."


def _sizes(config: Config) -> Iterator[str]:
    """Kernel, depth, and the input dimension that a model needs."""
    model, d = config.model, config.data.input_dim
    for name in config.all_models:
        if name in CONVOLUTIONS and model.kernel_size > d:
            yield (
                f"model.kernel_size must be <= data.input_dim = {d} for {name}, got "
                f"{model.kernel_size}."
            )
        if name in FULLY_CONNECTED and model.scale is not None and model.kernel_size > d:
            yield (
                f"model.scale gives {name} scale * (input_dim - kernel_size + 1) neurons, so "
                f"model.kernel_size must be <= data.input_dim = {d}, got {model.kernel_size}: "
                "give a smaller kernel_size, or model.width."
            )
        if name in ("toy_linear", "toy_nonlinear") and d != 2:
            yield f"data.input_dim must be 2 for {name}, got {d}."
        if name == "deep_mlp" and model.depth is not None and model.depth < 2:
            yield f"model.depth must be an integer >= 2 for deep_mlp, got {model.depth}."
