"""A reproduction is data: one YAML file with a base sweep, its variants and the paper's figures."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llr._yaml import parse_yaml
from llr.config import OPTIMIZER_ALIASES
from llr.errors import ConfigError, check_choice

__all__ = ["Plan", "Reproduction", "listed_as", "load_reproduction", "plan_sweeps", "slug"]

Overrides = dict[str, Any]
"""Config values by dotted key, as on the command line: ``{"training.lr": 0.1}``."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OptimizerSettings(_Strict):
    """One way to train: fixed values, and values to choose among by the mean test error."""

    about: str = ""
    set: Overrides = Field(default_factory=dict)
    tune: dict[str, list[Any]] = Field(default_factory=dict)


class QuickSettings(_Strict):
    """What ``--quick`` changes, so that a look takes less than a minute."""

    set: Overrides = Field(default_factory=dict)
    variants: list[str] | None = None
    optimizers: dict[str, OptimizerSettings] = Field(default_factory=dict)


class Reproduction(_Strict):
    """One of the papers' results, or one beyond them, as its YAML file states it.

    Attributes:
        title: what the figure shows, in a few words.
        source: paper and figure or table.
        about: the setting and what to expect, in a few sentences.
        sweep: an ordinary sweep config, or nothing where no training is needed.
        sweeps_of: name of another reproduction whose sweeps these figures show.
        optimizers: ways to train by name; the first is the default.
        variants: sets of overrides by name, each a sweep of its own.
        weights: weights files of targets by file name, tensors by name as nested lists.
        quick: what a quick look changes.
        paper: the paper's figures, to compare with.
    """

    title: str
    source: str
    about: str
    sweep: dict[str, Any] = Field(default_factory=dict)
    sweeps_of: str | None = None
    optimizers: dict[str, OptimizerSettings] = Field(default_factory=dict)
    variants: dict[str, Overrides] = Field(default_factory=dict)
    weights: dict[str, dict[str, Any]] = Field(default_factory=dict)
    quick: QuickSettings = Field(default_factory=QuickSettings)
    paper: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One sweep of a reproduction.

    Attributes:
        variant: name of the variant, empty where there is only one.
        tuned: values under trial by dotted key.
        overrides: config values by dotted key, on top of the base sweep, later ones winning.
    """

    variant: str
    tuned: Overrides = field(default_factory=dict)
    overrides: Overrides = field(default_factory=dict)

    @property
    def tuned_columns(self) -> Overrides:
        """Values under trial by the last part of their key, as columns of a table are called."""
        return {key.rpartition(".")[2]: value for key, value in self.tuned.items()}

    @property
    def folder(self) -> str:
        """Name of this sweep's folder."""
        parts = [self.variant, *(f"{name}-{v}" for name, v in self.tuned_columns.items())]
        return "-".join(slug(part) for part in parts if part) or "sweep"


def slug(text: str) -> str:
    """A text as a file name: letters, digits, dots and single hyphens."""
    return re.sub(r"[^0-9A-Za-z.]+", "-", text).strip("-.").lower()


def load_reproduction(name: str) -> Reproduction:
    """The shipped settings of one reproduction.

    Args:
        name: name of a YAML file among the shipped configs.

    Returns:
        The settings.

    Raises:
        ConfigError: if the file does not follow the schema.
    """
    source = f"configs/{name}.yaml"
    text = resources.files("llr").joinpath("configs", f"{name}.yaml").read_text(encoding="utf-8")
    value = parse_yaml(text, source=source)
    try:
        return Reproduction.model_validate(_with_ranges(value))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{source}: {where}: {first['msg']}.") from None


def _with_ranges(value: Any) -> Any:
    """The value with every text ``a..b`` replaced by the list of integers from a to b."""
    if isinstance(value, dict):
        return {key: _with_ranges(item) for key, item in value.items()}
    if isinstance(value, str) and (ends := re.fullmatch(r"(\d+)\.\.(\d+)", value)):
        return list(range(int(ends[1]), int(ends[2]) + 1))
    return value


def listed_as(optimizer: str, names: Sequence[str]) -> str:
    """What a reproduction calls an optimizer that is given by its name or its former name."""
    for former, name in OPTIMIZER_ALIASES.items():
        if optimizer == name and name not in names and former in names:
            return former
    return optimizer


def plan_sweeps(
    settings: Reproduction,
    *,
    optimizer: str | None = None,
    quick: bool = False,
    overrides: Mapping[str, Any] | None = None,
) -> list[Plan]:
    """The sweeps of a reproduction: every variant with every value under trial.

    Args:
        settings: the reproduction.
        optimizer: one of ``settings.optimizers``; None: the first.
        quick: whether to make it small.
        overrides: config values by dotted key that win over all others.

    Returns:
        One plan per sweep; none where the reproduction trains nothing.

    Raises:
        InvalidInputError: if the reproduction has no such optimizer.
    """
    if not settings.sweep:
        return []
    training, name = OptimizerSettings(), ""
    if settings.optimizers:
        names = list(settings.optimizers)
        name = check_choice("optimizer", listed_as(optimizer or names[0], names), names)
        training = settings.optimizers[name]
    small = settings.quick if quick else QuickSettings()
    changed = small.optimizers.get(name, OptimizerSettings())
    tune = training.tune | changed.tune
    names: Sequence[str] = small.variants or list(settings.variants) or [""]
    return [
        Plan(
            variant=variant,
            tuned=tuned,
            overrides={
                **training.set,
                **settings.variants.get(variant, {}),
                **small.set,
                **changed.set,
                **tuned,
                **(overrides or {}),
            },
        )
        for variant in names
        for tuned in (
            dict(zip(tune, values, strict=True)) for values in itertools.product(*tune.values())
        )
    ]
