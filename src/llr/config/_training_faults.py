"""What does not fit together in how a config trains, initialises and executes."""

from __future__ import annotations

from collections.abc import Iterator

from llr.config._choices import CONVOLUTIONS, FULLY_CONNECTED
from llr.config._schema import Config
from llr.config._words import REMOVE, listed

__all__ = ["training_faults"]


def training_faults(config: Config) -> Iterator[str]:
    """A sentence for each, naming the keys."""
    yield from _training(config)
    yield from _initialisation(config)
    yield from _execution(config)


def _training(config: Config) -> Iterator[str]:
    """Parameters that the optimizer has."""
    training = config.training
    for key in ("lr", "dropout", "max_time", "rtol", "atol"):
        value = getattr(training, key)
        if value is not None and key not in training.parameters():
            yield (
                f"training.{key} has no meaning with training.optimizer = {training.optimizer}, "
                f"got {value}: {REMOVE}."
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
                f"{listed(value)}: {REMOVE}."
            )


def _execution(config: Config) -> Iterator[str]:
    """An engine that can train with the optimizer, and keys that mean something to the executor."""
    engine, optimizer = config.execution.engine, config.training.optimizer
    if engine != "auto" and (engine == "flow") != (optimizer == "gradient_flow"):
        can = "gradient_flow only" if engine == "flow" else "gradient_descent and adam only"
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
            f"{address}: {REMOVE}, or set execution.executor to ray."
        )
    device = config.experiment.device
    if executor == "ray" and ":" in device:
        yield (
            f"experiment.device must be cpu or cuda with execution.executor = ray, which chooses "
            f"among its GPUs, got {device}."
        )
