"""Config values that are fine alone and impossible, or without meaning, together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llr.data import PAPER_MATRICES, grid_side
from llr.sweep._names import (
    CONVOLUTIONS,
    FULLY_CONNECTED,
    WIDTHLESS,
    input_shape,
    input_size,
)

if TYPE_CHECKING:
    from llr.sweep._config import Config

__all__ = ["contradictions"]

_REMOVE = "remove it (or set it to null)"

_TARGET_KEYS = {
    "target_model": "random",
    "target_width": "random",
    "target_kernel_size": "random",
    "target_bias": "random",
    "target_coefficients": "affine",
    "target_path": "file",
}


def contradictions(config: Config) -> list[str]:
    """A sentence for each contradiction of a config, naming the keys."""
    checks = (
        _widths,
        _sizes,
        _inputs,
        _sample_sizes,
        _entries,
        _target,
        _random_target,
        _target_keys,
        _training,
        _initialisation,
        _execution,
    )
    return [line for check in checks for line in check(config)]


def _list(values: object) -> str:
    """A sequence of names or numbers, for a message."""
    return ", ".join(str(value) for value in values) if isinstance(values, tuple) else str(values)


def _sample_size_keys(config: Config) -> dict[str, tuple[int, ...]]:
    """The training sample sizes in play, by key."""
    keys = {"data.train_size": (config.data.train_size or 0,)}
    return keys | (
        {"sweep.sample_sizes": config.sweep.sample_sizes} if config.sweep.enabled else {}
    )


def _widths(config: Config) -> Iterator[str]:
    """A scale or a width, where there is one."""
    model, models = config.model, config.all_models
    if model.scale is not None and model.width is not None:
        yield (
            f"model.scale = {model.scale} and model.width = {model.width} must not both be given: "
            "remove one (or set it to null)."
        )
    elif model.width is not None and config.sweep.enabled and config.sweep.scales is not None:
        yield (
            f"sweep.scales = [{_list(config.sweep.scales)}] has no meaning beside model.width = "
            f"{model.width}: {_REMOVE}."
        )
    if all(name in WIDTHLESS for name in models):
        for key, value in (("model.scale", model.scale), ("model.width", model.width)):
            if value is not None:
                yield f"{key} has no meaning for {_list(models)}, got {value}: {_REMOVE}."


def _sizes(config: Config) -> Iterator[str]:
    """Kernel, depth, and the input dimension that a model needs."""
    model, d = config.model, config.data.input_dim
    for name in config.all_models:
        if name in CONVOLUTIONS and model.kernel_size > d:
            yield (
                f"model.kernel_size must be <= data.input_dim = {d} for {name}, got "
                f"{model.kernel_size}."
            )
        if name in FULLY_CONNECTED and model.width is None and model.kernel_size > d:
            yield (
                f"model.scale gives {name} scale * (input_dim - kernel_size + 1) neurons, so "
                f"model.kernel_size must be <= data.input_dim = {d}, got {model.kernel_size}: "
                "give a smaller kernel_size, or model.width."
            )
        if name in ("toy_linear", "toy_nonlinear") and d != 2:
            yield f"data.input_dim must be 2 for {name}, got {d}."
        if name == "deep_mlp" and model.depth < 2:
            yield f"model.depth must be an integer >= 2 for deep_mlp, got {model.depth}."


def _inputs(config: Config) -> Iterator[str]:
    """One input shape for all models; a range only where the distribution has one."""
    data, models = config.data, config.all_models
    if (
        len(
            {(input_shape(name, data.input_dim), name == "matrix_factorization") for name in models}
        )
        > 1
    ):
        yield (
            "sweep.models must all take inputs of the same kind (vectors, squares or matrix "
            f"entries), together with model.type, got {_list(models)}."
        )
    for key in ("low", "high"):
        value = getattr(data, key)
        if value is not None and data.distribution not in ("uniform", "grid"):
            yield (
                f"data.{key} has no meaning with data.distribution = {data.distribution}, got "
                f"{value}: {_REMOVE}."
            )
    if data.low is not None and data.high is not None and not data.low < data.high:
        yield f"data.low must be < data.high = {data.high:g}, got {data.low:g}."


def _sample_sizes(config: Config) -> Iterator[str]:
    """As many samples as the distribution can give."""
    data = config.data
    axes, d = input_size(config.model.type, data.input_dim), data.input_dim
    if data.distribution == "entries":
        most, what = d * d, f"the number of entries of a {d} x {d} matrix"
        if data.entries is not None:
            most, what = len(data.entries), "the length of data.entries"
        for key, sizes in _sample_size_keys(config).items():
            for n in sizes:
                if n > most:
                    yield f"{key} must be <= {most}, {what}, got {n}."
    if data.distribution == "grid":
        keys = _sample_size_keys(config) | {"data.test_size": (data.test_size or 0,)}
        for key, sizes in keys.items():
            for n in sizes:
                if grid_side(n, axes) is None:
                    yield (
                        f"{key} must be k^{axes} for a grid over {axes} inputs, k on each axis, "
                        f"got {n}."
                    )


def _entries(config: Config) -> Iterator[str]:
    """Matrix entries are inputs of matrix models."""
    data, d = config.data, config.data.input_dim
    entries = data.distribution == "entries"
    for name in config.all_models:
        if entries and name != "matrix_factorization":
            key = "model.type" if name == config.model.type else "sweep.models"
            yield (
                "data.distribution = entries needs the model matrix_factorization, got "
                f"{key} = {name}."
            )
    if entries and data.test_size != d * d:
        yield (
            f"data.test_size must be {d * d} with data.distribution = entries, all of the matrix, "
            f"got {data.test_size}: {_REMOVE}."
        )
    if data.entries is None:
        return
    if not entries:
        yield (
            "data.entries has no meaning with data.distribution = "
            f"{data.distribution}: {_REMOVE}, or set data.distribution to entries."
        )
    outside = [list(entry) for entry in data.entries if max(entry) > d]
    if outside:
        yield f"data.entries must lie in rows and columns 1..{d}, got {outside[0]}."
    if len(set(data.entries)) < len(data.entries):
        yield "data.entries must name each entry at most once."


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
            f"{data.target_kernel_size}: {_REMOVE}."
        )
    elif data.target_kernel_size is not None and data.target_kernel_size > d:
        yield (
            f"data.target_kernel_size must be <= data.input_dim = {d}, got "
            f"{data.target_kernel_size}."
        )
    if kind in ("matrix", "linear") and data.target_bias is not None:
        yield f"data.target_bias has no meaning with data.target_model = {kind}: {_REMOVE}."


def _target_keys(config: Config) -> Iterator[str]:
    """Keys of one kind of target beside another."""
    for key, target in _TARGET_KEYS.items():
        if getattr(config.data, key) is not None and config.data.target != target:
            yield (
                f"data.{key} has no meaning with data.target = {config.data.target}, only with "
                f"{target}: {_REMOVE}."
            )


def _training(config: Config) -> Iterator[str]:
    """Parameters that the optimizer has."""
    training = config.training
    for key in ("lr", "dropout", "max_time", "rtol", "atol"):
        value = getattr(training, key)
        if value is not None and key not in training.parameters():
            yield (
                f"training.{key} has no meaning with training.optimizer = {training.optimizer}, "
                f"got {value}: {_REMOVE}."
            )
    if training.optimizer == "gradient_flow" and training.max_steps == 0:
        yield "training.max_steps must be an integer >= 1 for gradient_flow, got 0."
    if training.dropout:
        for name in config.all_models:
            if name not in (*FULLY_CONNECTED, *CONVOLUTIONS):
                yield (
                    f"training.dropout must be 0 for {name}, which has no hidden units to drop, "
                    f"got {training.dropout}."
                )


def _initialisation(config: Config) -> Iterator[str]:
    """Standard deviations only where they are used."""
    if config.init.method != "default":
        return
    for key, value in (("init.std", config.init.std), ("sweep.init_stds", config.sweep.init_stds)):
        if value is not None:
            yield (
                f"{key} has no meaning with init.method = {config.init.method}, got "
                f"{_list(value)}: {_REMOVE}."
            )


def _execution(config: Config) -> Iterator[str]:
    """An engine that can train with the optimizer, and keys that mean something to the executor."""
    engine, optimizer = config.execution.engine, config.training.optimizer
    if engine != "auto" and (engine == "flow") != (optimizer == "gradient_flow"):
        can = "gradient_flow only" if engine == "flow" else "sgd and adam only"
        yield (
            f"execution.engine = {engine} trains {can}, got training.optimizer = {optimizer}: "
            "set it to auto."
        )
    workers = config.execution.workers
    if config.execution.executor == "in_process" and workers is not None and workers > 1:
        yield (
            f"execution.workers must be 1 with execution.executor = in_process, got {workers}: "
            "remove it, or set execution.executor to processes."
        )
    executor, address = config.execution.executor, config.execution.address
    if executor != "ray" and address is not None:
        yield (
            f"execution.address has no meaning with execution.executor = {executor}, got "
            f"{address}: {_REMOVE}, or set execution.executor to ray."
        )
    device = config.experiment.device
    if executor == "ray" and ":" in device:
        yield (
            f"experiment.device must be cpu or cuda with execution.executor = ray, which chooses "
            f"among its GPUs, got {device}."
        )
