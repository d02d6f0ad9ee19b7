"""What does not fit together in a config's inputs and sample sizes."""

from __future__ import annotations

from collections.abc import Iterator

from llr.config._choices import input_shape, input_size
from llr.config._schema import Config
from llr.config._words import REMOVE, listed
from llr.data import grid_side

__all__ = ["data_faults"]


def data_faults(config: Config) -> Iterator[str]:
    """A sentence for each, naming the keys."""
    yield from _inputs(config)
    yield from _sample_sizes(config)
    yield from _entries(config)


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
            f"entries), together with model.type, got {listed(models)}."
        )
    for key in ("low", "high"):
        value = getattr(data, key)
        if value is not None and data.distribution not in ("uniform", "grid"):
            yield (
                f"data.{key} has no meaning with data.distribution = {data.distribution}, got "
                f"{value}: {REMOVE}."
            )
    if data.low is not None and data.high is not None and not data.low < data.high:
        yield f"data.low must be < data.high = {data.high:g}, got {data.low:g}."


def _sample_size_keys(config: Config) -> dict[str, tuple[int, ...]]:
    """The training sample sizes in play, by key."""
    keys = {"data.train_size": (config.data.train_size or 0,)}
    return keys | (
        {"sweep.sample_sizes": config.sweep.sample_sizes} if config.sweep.enabled else {}
    )


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
            f"got {data.test_size}: {REMOVE}."
        )
    if data.entries is None:
        return
    if not entries:
        yield (
            "data.entries has no meaning with data.distribution = "
            f"{data.distribution}: {REMOVE}, or set data.distribution to entries."
        )
    outside = [list(entry) for entry in data.entries if max(entry) > d]
    if outside:
        yield f"data.entries must lie in rows and columns 1..{d}, got {outside[0]}."
    if len(set(data.entries)) < len(data.entries):
        yield "data.entries must name each entry at most once."
