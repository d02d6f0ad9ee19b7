"""Defaults that depend on other keys."""

from __future__ import annotations

from dataclasses import fields

from llr.config._choices import (
    NETWORKS,
    OPTIMIZERS,
    SEED_ARCHITECTURES,
    WIDTHLESS,
    input_shape,
)
from llr.config._schema import (
    Config,
    DataConfig,
    InitConfig,
    ModelConfig,
    SweepConfig,
    TrainingConfig,
)

__all__ = ["filled_in"]

DEFAULT_SCALE = 10
DEFAULT_DEPTH = 3
MOST_TRAIN_SIZE = 20
"""Training samples of the single run, where there are so many."""


def filled_in(given: Config) -> Config:
    """A config in which every key that means something beside the others has a value.

    Args:
        given: keys that were not given are None.

    Returns:
        A new config; filled in again, it stays as it is.
    """
    sweep = _enabled(given.sweep).filled_in(models=_swept_models(given))
    model = _sized(given.model_copy(update={"sweep": sweep}))
    if model.scale is not None:
        sweep = sweep.filled_in(scales=(model.scale,))
    init = _drawn(given.init)
    if init.method != "default":
        sweep = sweep.filled_in(init_stds=(init.std,))
    return given.model_copy(
        update={
            "data": _sampled(given.data, model),
            "model": model,
            "training": _optimized(given.training),
            "init": init,
            "sweep": sweep,
        }
    )


def _enabled(sweep: SweepConfig) -> SweepConfig:
    """Setting any key of ``sweep`` enables the sweep."""
    return sweep.filled_in(enabled=bool(sweep.model_fields_set - {"enabled"}))


def _swept_models(given: Config) -> tuple[str, ...]:
    """The papers' three architectures where they fit the data, else the single run's model."""
    model, data = given.model, given.data
    in_family = model.type in SEED_ARCHITECTURES
    kernel_fits = model.kernel_size <= data.input_dim
    fit = in_family and kernel_fits and data.distribution != "entries"
    return SEED_ARCHITECTURES if fit else (model.type,)


def _sized(config: Config) -> ModelConfig:
    """An activation, and a scale or a width, where a model has one."""
    model = config.model
    if any(name in NETWORKS for name in config.all_models):
        model = model.filled_in(activation="tanh")
    if model.widths is not None:
        return model
    model = model.filled_in(depth=DEFAULT_DEPTH)
    if model.scale is None and model.type == "matrix_factorization":
        model = model.filled_in(width=config.data.input_dim)
    if model.width is None and any(name not in WIDTHLESS for name in config.all_models):
        model = model.filled_in(scale=DEFAULT_SCALE)
    return model


def _sampled(data: DataConfig, model: ModelConfig) -> DataConfig:
    """Sample sizes, the range of the inputs, and the target."""
    entries = data.distribution == "entries"
    size = data.input_dim**2
    most = (len(data.entries) if data.entries else size) if entries else MOST_TRAIN_SIZE
    data = data.filled_in(
        train_size=min(MOST_TRAIN_SIZE, most), test_size=size if entries else 1000
    )
    if data.distribution in ("uniform", "grid"):
        data = data.filled_in(low=-1.0, high=1.0)
    return _with_random_target(data, model) if data.target == "random" else data


def _with_random_target(data: DataConfig, model: ModelConfig) -> DataConfig:
    """The kind of a random target, and the sizes that this kind has."""
    kind = "mlp"
    if model.type == "matrix_factorization":
        kind = "matrix"
    elif len(input_shape(model.type, data.input_dim)) > 1:
        kind = "cnn_shared_2d"
    data = data.filled_in(target_model=kind, target_width=1)
    if data.target_model not in ("matrix", "linear"):
        data = data.filled_in(target_bias=False, target_activation=model.activation)
    if data.target_model == "deep_mlp":
        depth = model.depth if model.widths is None else len(model.widths) + 1
        data = data.filled_in(target_depth=depth)
    if data.target_model and data.target_model.startswith("cnn"):
        data = data.filled_in(target_kernel_size=3)
    return data


def _optimized(training: TrainingConfig) -> TrainingConfig:
    """The defaults of the optimizer's own parameters."""
    defaults = {field.name: field.default for field in fields(OPTIMIZERS[training.optimizer])}
    return training.filled_in(**{name: defaults[name] for name in training.parameters()})


def _drawn(init: InitConfig) -> InitConfig:
    """A standard deviation where parameters are drawn with one."""
    if init.method == "default":
        return init
    return init.filled_in(std=1e-4 if init.method == "near_target" else 1e-10)
