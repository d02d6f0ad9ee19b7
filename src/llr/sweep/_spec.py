"""What is computed: everything that determines one run's numbers, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from llr.config import (
    OPTIMIZER_ALIASES,
    OPTIMIZERS,
    DistributionName,
    InitName,
    input_shape,
    optimizer_name,
)
from llr.data import RandomTargetModel, TargetName, make_target
from llr.errors import InvalidInputError
from llr.models import ModelName, ModelSizes, build_model
from llr.training import Optimizer

__all__ = ["SPEC_VERSION", "RunSpec", "TargetSpec", "file_digest"]

SPEC_VERSION = 1
"""Version of the identity: raised when the same spec would give other numbers than before."""

_IDENTITY_NAMES = {kind: name for name, kind in OPTIMIZERS.items()} | {
    OPTIMIZERS[name]: former for former, name in OPTIMIZER_ALIASES.items()
}
"""Optimizers as identities call them: by the name that the first stored runs had."""

_KINDS: dict[str, type[Optimizer]] = {
    **OPTIMIZERS,
    **{former: OPTIMIZERS[name] for former, name in OPTIMIZER_ALIASES.items()},
}
"""Optimizers by every name that a stored run may have."""

_ADDED: dict[str, tuple[Any, ...]] = {
    "activation": (None, "tanh"),
    "widths": (None,),
}
"""Fields of a run younger than the first stored runs: the identity has them at other values than
these, which leave the numbers as they were before there was the field."""

_ADDED_TO_TARGET: dict[str, tuple[Any, ...]] = {"activation": (None, "tanh"), "depth": (None,)}
"""The same for the target."""

_LABELS = {"run": ("scale",), "target": ("path",)}
"""Fields that say where a spec came from, and are no part of its identity."""


@dataclass(frozen=True, kw_only=True)
class TargetSpec:
    """The target function; fields that its kind does not have are None.

    Attributes:
        name: as configs call it.
        input_dim: d.
        model: what a random target is.
        width: k, for a random target.
        kernel_size: for a random convolutional target.
        hidden_bias: for a random network.
        seed: of a random target.
        coefficients: of an affine target.
        sha256: of the contents of a weights file.
        path: of the weights file; no part of the identity.
        activation: of a random network.
        depth: layers of weights of a random deep_mlp.
    """

    name: TargetName
    input_dim: int
    model: RandomTargetModel | None = None
    width: int | None = None
    kernel_size: int | None = None
    hidden_bias: bool | None = None
    seed: int | None = None
    coefficients: tuple[float, ...] | None = None
    sha256: str | None = None
    path: str | None = None
    activation: str | None = None
    depth: int | None = None

    def build(self) -> nn.Module:
        """The target as a module.

        Raises:
            InvalidInputError: if a weights file is gone, damaged or no longer the same.
        """
        if self.sha256 is not None and file_digest(self.path) != self.sha256:
            raise InvalidInputError(
                f"{self.path} must not change between the runs of a sweep, but its contents have "
                "changed; put the old file back, or start a new sweep."
            )
        options = asdict(self)
        given = {
            name: value
            for name, value in options.items()
            if value is not None and name not in ("name", "sha256")
        }
        return make_target(self.name, **given)


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run: everything that determines its numbers. Sizes that the model lacks are None.

    Attributes:
        model: architecture.
        input_dim: d.
        width: neurons, kernels or inner dimension.
        widths: neurons of each hidden layer, where they are not all ``width``.
        kernel_size: s.
        depth: layers of weights.
        activation: of the hidden units.
        hidden_bias: whether hidden units have a bias.
        output_bias: whether the output has a bias.
        sample_size: n, training samples.
        test_size: test samples.
        distribution: of the inputs.
        low: lower end of the inputs, where the distribution has one.
        high: upper end.
        entries: matrix entries to train on, counted from 0; None: random ones, or no matrix.
        target: the target function.
        noise_std: standard deviation of the label noise.
        init_method: how parameters are drawn.
        init_std: standard deviation of the normal draws of the initialisation.
        optimizer: how to train.
        seed: of training inputs, test inputs, noise, initialisation and dropout.
        scale: the papers' N where the width came from one; no part of the identity.

    Example:
        >>> from llr.config import parse_config
        >>> from llr.sweep import grid
        >>> runs = grid(parse_config({"sweep": {"enabled": True, "sample_sizes": [5, 10]}}))
        >>> len(runs), runs[0].model, runs[0].width, runs[0].scale
        (30, 'mlp', 30, 10)
    """

    model: ModelName
    input_dim: int
    width: int | None
    kernel_size: int | None
    depth: int | None
    hidden_bias: bool | None
    output_bias: bool | None
    sample_size: int
    test_size: int
    distribution: DistributionName
    low: float | None
    high: float | None
    entries: tuple[tuple[int, int], ...] | None
    target: TargetSpec
    noise_std: float
    init_method: InitName
    init_std: float | None
    optimizer: Optimizer
    seed: int
    scale: int | None = None
    activation: str | None = None
    widths: tuple[int, ...] | None = None

    @cached_property
    def id(self) -> str:
        """First 16 hex digits of the sha256 of the canonical JSON of the identity."""
        text = json.dumps(
            _canonical({"version": SPEC_VERSION, **self.identity()}),
            sort_keys=True,
            separators=(",", ":"),
            allow_nan=False,
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def identity(self) -> dict[str, Any]:
        """:meth:`to_dict` without the fields that do not determine the numbers."""
        values = self.to_dict()
        target = _identifying(values["target"], _LABELS["target"], _ADDED_TO_TARGET)
        return _identifying(values, _LABELS["run"], _ADDED) | {"target": target}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, target and optimizer nested; the inverse of :meth:`from_dict`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        name = _IDENTITY_NAMES[type(self.optimizer)]
        optimizer = {"name": name, **asdict(self.optimizer)}
        if not optimizer.get("momentum"):  # newer than the first stored runs, whose ids stay
            optimizer.pop("momentum", None)
        nested = {"target": asdict(self.target), "optimizer": optimizer}
        return _plain(values | nested)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> RunSpec:
        """A spec from :meth:`to_dict`'s plain values, as read back from JSON."""
        optimizer = dict(values["optimizer"])
        kind = _KINDS[optimizer.pop("name")]
        target = dict(values["target"])
        if target["coefficients"] is not None:
            target["coefficients"] = tuple(target["coefficients"])
        entries, widths = values["entries"], values.get("widths")
        return RunSpec(
            **{
                **values,
                "entries": None if entries is None else tuple((row, col) for row, col in entries),
                "widths": None if widths is None else tuple(widths),
                "target": TargetSpec(**target),
                "optimizer": kind(**optimizer),
            }
        )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return input_shape(self.model, self.input_dim)

    @cached_property
    def n_parameters(self) -> int:
        """M, the number of parameters."""
        return _count_parameters(*self.architecture)

    @property
    def architecture(self) -> tuple[Any, ...]:
        """The model with its sizes."""
        return (
            self.model,
            self.input_dim,
            self.width,
            self.kernel_size,
            self.depth,
            self.hidden_bias,
            self.output_bias,
            self.activation,
            self.widths,
        )

    def described(self) -> dict[str, Any]:
        """What a run's row in the results says of its settings, a plain value a column."""
        return {
            "id": self.id,
            "model": self.model,
            "activation": self.activation,
            "depth": self.depth,
            "widths": None if self.widths is None else "-".join(map(str, self.widths)),
            "scale": self.scale,
            "width": self.width,
            "sample_size": self.sample_size,
            "init_method": self.init_method,
            "init_std": self.init_std,
            "optimizer": optimizer_name(self.optimizer),
            "lr": getattr(self.optimizer, "lr", None),
            "noise_std": self.noise_std,
            "seed": self.seed,
        }

    @property
    def batch_key(self) -> tuple[Any, ...]:
        """What runs must share to be trained together: architecture, test size, optimizer."""
        return (*self.architecture, self.test_size, self.optimizer)

    def build_model(self) -> nn.Module:
        """The architecture, with parameter values that mean nothing."""
        return _build_model(*self.architecture)


def _build_model(
    model: ModelName,
    input_dim: int,
    width: int | None,
    kernel_size: int | None,
    depth: int | None,
    hidden_bias: bool | None,
    output_bias: bool | None,
    activation: str | None,
    widths: tuple[int, ...] | None,
) -> nn.Module:
    """A model; sizes that it lacks are None."""
    options = {
        "kernel_size": kernel_size,
        "depth": depth,
        "hidden_bias": hidden_bias,
        "output_bias": output_bias,
        "activation": activation,
        "widths": widths,
    }
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    sizes = ModelSizes(input_dim, 1 if width is None else width, **given)
    return build_model(model, sizes, generator=torch.Generator())


@cache
def _count_parameters(*architecture: Any) -> int:
    """Number of parameters of a model, which the runs of a grid share."""
    return sum(parameter.numel() for parameter in _build_model(*architecture).parameters())


def file_digest(path: str | None) -> str:
    """Sha256 of a file's contents."""
    try:
        return hashlib.sha256(Path(path or "").read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidInputError(f"{path}: the weights file cannot be read: {reason}.") from None


def _identifying(
    values: Mapping[str, Any], labels: Sequence[str], added: Mapping[str, tuple[Any, ...]]
) -> dict[str, Any]:
    """Values without labels, and without younger fields that change nothing."""
    return {
        name: value
        for name, value in values.items()
        if name not in labels and not (name in added and value in added[name])
    }


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _canonical(value: Any) -> Any:
    """Numbers that are equal written alike: 1.0 as 1."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
