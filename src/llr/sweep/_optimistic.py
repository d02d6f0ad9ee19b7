"""What the theory says of the settings of a grid."""

from __future__ import annotations

from collections.abc import Iterable

from llr.sweep._spec import RunSpec
from llr.sweep._summary import Setting

__all__ = ["optimistic_sample_sizes"]


def optimistic_sample_sizes(specs: Iterable[RunSpec]) -> dict[Setting, int | None]:
    """The optimistic sample size of every setting of a grid; None where theory has no value."""
    return {}
