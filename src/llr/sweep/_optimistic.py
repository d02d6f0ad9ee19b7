"""What the theory says of the settings of a grid."""

from __future__ import annotations

from collections.abc import Iterable

from llr._constants import Setting, setting_of
from llr.errors import LLRError
from llr.sweep._spec import RunSpec, TargetSpec
from llr.theory import optimistic_sample_size

__all__ = ["optimistic_sample_sizes"]


def optimistic_sample_sizes(specs: Iterable[RunSpec]) -> dict[Setting, int | None]:
    """Optimistic sample size of the target in the model, for every setting of a grid.

    Args:
        specs: the grid.

    Returns:
        By the columns that tell settings apart. None where the theory has no value: the size is
        only bounded, the model cannot express the target, or nothing is known about it.

    Example:
        >>> from llr.config import parse_config
        >>> from llr.sweep import grid
        >>> specs = grid(parse_config({"model": {"scale": 1}, "sweep": {"enabled": True}}))
        >>> list(optimistic_sample_sizes(specs).values())
        [21, 7, 15]
    """
    known: dict[tuple[object, TargetSpec], int | None] = {}
    sizes: dict[Setting, int | None] = {}
    for spec in specs:
        setting = setting_of(spec.described())
        if setting not in sizes:
            key = spec.architecture, spec.target
            if key not in known:
                known[key] = _size(spec)
            sizes[setting] = known[key]
    return sizes


def _size(spec: RunSpec) -> int | None:
    """Optimistic sample size of one run's target in its model."""
    try:
        return optimistic_sample_size(spec.build_model(), spec.target.build()).value
    except LLRError:  # not expressible, not covered, or the weights file is gone
        return None
