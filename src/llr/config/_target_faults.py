"""What does not fit together in a config's target."""

from __future__ import annotations

from collections.abc import Iterator

from llr.config._choices import CONVOLUTIONS, input_shape
from llr.config._schema import Config
from llr.config._words import REMOVE
from llr.data import PAPER_MATRICES

__all__ = ["target_faults"]

_TARGET_KEYS = {
    "target_model": "random",
    "target_width": "random",
    "target_activation": "random",
    "target_depth": "random",
    "target_kernel_size": "random",
    "target_bias": "random",
    "target_coefficients": "affine",
    "target_path": "file",
}


def target_faults(config: Config) -> Iterator[str]:
    """A sentence for each, naming the keys."""
    yield from _target(config)
    yield from _random_target(config)
    yield from _target_keys(config)


def _target(config: Config) -> Iterator[str]:
    """A target that is defined on the inputs."""
    data, d = config.data, config.data.input_dim
    target = data.target
    square = len(input_shape(config.model.type, d)) > 1
    matrix = config.model.type == "matrix_factorization"
    if target in PAPER_MATRICES and not (matrix and d == 4):
        yield (
            f"data.target = {target} is a 4 x 4 matrix: model.type must be matrix_factorization "
            f"and data.input_dim 4, got {config.model.type} and {d}."
        )
    if target in ("paper", "three_bumps", "affine"):
        if matrix or square:
            kind = "inputs of matrices" if matrix else "2-d inputs"
            yield f"data.target = {target} is not defined on {kind}: use random or file."
        elif target == "paper" and d < 3:
            yield f"data.input_dim must be >= 3 for data.target = paper, got {d}."
        elif target == "three_bumps" and d != 1:
            yield f"data.input_dim must be 1 for data.target = three_bumps, got {d}."
    if target == "affine" and len(data.target_coefficients or ()) != d + 1:
        got = None if data.target_coefficients is None else len(data.target_coefficients)
        yield (
            f"data.target_coefficients must list {d + 1} numbers c_0..c_d for data.target = affine "
            f"with data.input_dim = {d}, got {'null' if got is None else f'{got} numbers'}."
        )
    if target == "file" and data.target_path is None:
        yield "data.target_path must name a weights file for data.target = file, got null."


def _random_target(config: Config) -> Iterator[str]:
    """Kind and sizes of a random target."""
    data, d = config.data, config.data.input_dim
    kind, width = data.target_model, data.target_width
    if data.target != "random" or kind is None:
        return
    fits = input_shape(kind, d) == input_shape(config.model.type, d)
    if (config.model.type == "matrix_factorization") != (kind == "matrix") or not fits:
        yield (f"data.target_model = {kind} is not defined on the inputs of {config.model.type}.")
    if kind in ("matrix", "linear") and width is not None and width > d:
        what = "rank" if kind == "matrix" else "number of nonzero coefficients"
        yield f"data.target_width, the {what}, must be <= data.input_dim = {d}, got {width}."
    if kind not in CONVOLUTIONS and data.target_kernel_size is not None:
        yield (
            f"data.target_kernel_size has no meaning with data.target_model = {kind}, got "
            f"{data.target_kernel_size}: {REMOVE}."
        )
    elif data.target_kernel_size is not None and data.target_kernel_size > d:
        yield (
            f"data.target_kernel_size must be <= data.input_dim = {d}, got "
            f"{data.target_kernel_size}."
        )
    for key in ("target_bias", "target_activation"):
        if kind in ("matrix", "linear") and getattr(data, key) is not None:
            yield f"data.{key} has no meaning with data.target_model = {kind}: {REMOVE}."
    if kind != "deep_mlp" and data.target_depth is not None:
        yield (
            f"data.target_depth has no meaning with data.target_model = {kind}, only with "
            f"deep_mlp: {REMOVE}."
        )


def _target_keys(config: Config) -> Iterator[str]:
    """Keys of one kind of target beside another."""
    for key, target in _TARGET_KEYS.items():
        if getattr(config.data, key) is not None and config.data.target != target:
            yield (
                f"data.{key} has no meaning with data.target = {config.data.target}, only with "
                f"{target}: {REMOVE}."
            )
