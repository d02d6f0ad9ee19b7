"""From a config to the runs that it asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from llr.config import CONVOLUTIONS, NETWORKS, WIDTHLESS, Config, completed, input_shape
from llr.errors import ConfigError, LLRError
from llr.models import ModelName, scaled_width
from llr.sweep._build_problem import least_rank_point
from llr.sweep._spec import RunSpec, TargetSpec, file_digest

__all__ = ["grid", "single_run"]


def grid(config: Config) -> list[RunSpec]:
    """The runs of a sweep: models x scales x sample sizes x initial stds x seeds, in this order.

    Args:
        config: with a sweep section that is enabled.

    Returns:
        One spec a run, all different.

    Raises:
        ConfigError: if the sweep is not enabled, the target's file cannot be used, or a run is
            to start near a target that its model cannot express.

    Example:
        >>> from llr.config import parse_config
        >>> config = parse_config({"sweep": {"enabled": True, "sample_sizes": [5], "seeds": 1}})
        >>> [run.model for run in grid(config)]
        ['mlp', 'cnn_shared', 'cnn_noshare']
    """
    config = completed(config)
    if not config.sweep.enabled:
        raise ConfigError(
            "sweep.enabled must be true for a sweep, got false: set it to true in the config or "
            "add sweep.enabled=true to the command; llr train trains the single run."
        )
    target = _target_spec(config)
    specs = [
        _run(config, target, model, size, n, std, seed)
        for model in config.sweep.models or ()
        for size in _sizes(config, model, config.sweep.scales)
        for n in config.sweep.sample_sizes
        for std in config.sweep.init_stds or (None,)
        for seed in config.seeds
    ]
    _check_starts(specs)
    return specs


def single_run(config: Config) -> RunSpec:
    """The run that ``model``, ``data.train_size``, ``init`` and ``experiment.seed`` describe.

    Args:
        config: any config; its sweep section is not looked at.

    Returns:
        The spec.

    Raises:
        ConfigError: if the target's file cannot be used, or the run is to start near a target
            that its model cannot express.

    Example:
        >>> from llr.config import parse_config
        >>> single_run(parse_config({"data": {"train_size": 7}})).sample_size
        7
    """
    config = completed(config)
    scales = None if config.model.scale is None else (config.model.scale,)
    size = next(_sizes(config, config.model.type, scales))
    n = config.data.train_size
    assert n is not None  # a complete config has one
    seed = config.experiment.seed
    spec = _run(config, _target_spec(config), config.model.type, size, n, config.init.std, seed)
    _check_starts([spec])
    return spec


def _check_starts(specs: Sequence[RunSpec]) -> None:
    """Every model must have parameters that are the target, where runs start near them."""
    near = {spec.architecture: spec for spec in specs if spec.init_method == "near_target"}
    for spec in near.values():
        try:
            least_rank_point(spec.build_model(), spec.target.build())
        except LLRError as error:
            raise ConfigError(
                f"init.method = near_target cannot start {spec.model}: {error}"
            ) from None


def _sizes(
    config: Config, model: ModelName, scales: tuple[int, ...] | None
) -> Iterator[tuple[int | None, int | None]]:
    """Scale and width of every size of a model."""
    if model in WIDTHLESS:
        yield None, None
    elif config.model.width is not None or config.model.widths is not None:
        yield None, config.model.width
    else:
        for scale in scales or ():
            d, s = config.data.input_dim, config.model.kernel_size
            yield scale, scaled_width(model, scale, input_dim=d, kernel_size=s)


def _run(
    config: Config,
    target: TargetSpec,
    model: ModelName,
    size: tuple[int | None, int | None],
    n: int,
    std: float | None,
    seed: int,
) -> RunSpec:
    """One point of the grid."""
    data, sizes = config.data, config.model
    scale, width = size
    assert data.test_size is not None  # a complete config has one
    network = model in NETWORKS
    width, depth, widths = _layers(model, width, sizes.depth, sizes.widths)
    return RunSpec(
        model=model,
        input_dim=data.input_dim,
        width=width,
        kernel_size=sizes.kernel_size if model in CONVOLUTIONS else None,
        depth=depth,
        widths=widths,
        activation=sizes.activation if network else None,
        hidden_bias=sizes.hidden_bias if network else None,
        output_bias=sizes.output_bias if network else None,
        sample_size=n,
        test_size=data.test_size,
        distribution=data.distribution,
        low=data.low,
        high=data.high,
        entries=data.entries and tuple((row - 1, column - 1) for row, column in data.entries[:n]),
        target=target,
        noise_std=data.noise_std,
        init_method=config.init.method,
        init_std=std,
        optimizer=config.training.build(),
        seed=seed,
        scale=scale,
    )


def _layers(
    model: ModelName, width: int | None, depth: int | None, widths: tuple[int, ...] | None
) -> tuple[int | None, int | None, tuple[int, ...] | None]:
    """Width, depth, and the widths where the hidden layers differ: one form for each network."""
    if model not in ("deep_mlp", "diagonal"):
        return width, None, None
    if widths is None:
        return width, depth, None
    if len(set(widths)) == 1:
        return widths[0], len(widths) + 1, None
    return None, len(widths) + 1, widths


def _target_spec(config: Config) -> TargetSpec:
    """The config's target, checked against the inputs where it is read from a file."""
    data = config.data
    spec = TargetSpec(
        name=data.target,
        input_dim=data.input_dim,
        model=data.target_model,
        width=data.target_width,
        kernel_size=data.target_kernel_size,
        hidden_bias=data.target_bias,
        activation=data.target_activation,
        depth=data.target_depth,
        seed=config.experiment.seed if data.target == "random" else None,
        coefficients=data.target_coefficients,
        path=data.target_path,
    )
    if spec.path is None:
        return spec
    try:
        spec = replace(spec, sha256=file_digest(spec.path))
        shape = tuple(getattr(spec.build(), "input_shape", ()))
    except LLRError as error:
        raise ConfigError(f"data.target_path: {error}") from None
    wanted = input_shape(config.model.type, data.input_dim)
    if shape != wanted:
        raise ConfigError(
            f"data.target_path must name a target with inputs of shape {wanted}, as "
            f"{config.model.type} with data.input_dim = {data.input_dim} has; {spec.path} has "
            f"inputs of shape {shape}."
        )
    return spec
