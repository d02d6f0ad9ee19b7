"""Which function judges which reproduction: one row registers one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from llr.reproduce._settings import load_reproduction

if TYPE_CHECKING:
    from llr.reproduce._judgement import Finished, Outcome

__all__ = ["NAMES", "judge_of", "list_reproductions"]

_JUDGES = {
    "local-recovery": "_local_recovery:judge",
    "saddle-escape": "_saddle_escape:judge",
    "jmlr-fig3": "_architectures:judge_jmlr_fig3",
    "jmlr-fig4": "_dropout:judge",
    "jmlr-table1": "_paper_tables:judge_deep_networks",
    "jmlr-table2": "_paper_tables:judge_widths",
    "jmlr-table3": "_paper_tables:judge_convolutions",
    "optimistic-fig1": "_toys_and_matrices:judge_toys",
    "optimistic-fig2": "_toys_and_matrices:judge_matrices",
    "optimistic-fig3": "_toys_and_matrices:judge_initial_sizes",
    "optimistic-fig4": "_architectures:judge_optimistic_fig4",
}
"""File and function that turn the finished sweeps of a reproduction into figures and a verdict;
imported when they are needed."""

NAMES: tuple[str, ...] = tuple(_JUDGES)
"""The names of all reproductions."""


def judge_of(name: str) -> Callable[[Finished], Outcome]:
    """The function that judges a reproduction."""
    module, _, function = _JUDGES[name].partition(":")
    return getattr(importlib.import_module(f"llr.reproduce.{module}"), function)


def list_reproductions() -> dict[str, str]:
    """The titles of all reproductions by name.

    Example:
        >>> list_reproductions()["jmlr-table2"]
        'Sample sizes of two-layer networks'
    """
    return {name: load_reproduction(name).title for name in NAMES}
