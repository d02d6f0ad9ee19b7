"""Names and colours of architectures and settings, in every figure and on the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from llr.analysis import group_columns, varied_columns

__all__ = [
    "architecture_name",
    "colour_of",
    "sci",
    "setting_columns",
    "setting_name",
    "short_number",
]

_ARCHITECTURES = {
    "mlp": "Fully connected",
    "cnn_shared": "Shared CNN",
    "cnn_noshare": "Unshared CNN",
    "cnn_shared_2d": "Shared 2-d CNN",
    "cnn_noshare_2d": "Unshared 2-d CNN",
    "deep_mlp": "Deep fully connected",
    "matrix_factorization": "Matrix factorization",
    "diagonal": "Diagonal",
    "difference_of_squares": "Difference of squares",
    "toy_linear": "Toy, linear",
    "toy_nonlinear": "Toy, nonlinear",
}

# Okabe and Ito's palette, which common colour blindness does not confuse, without its pale yellow.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_FIXED = {"mlp": "#0072B2", "cnn_noshare": "#D55E00", "cnn_shared": "#009E73"}


def architecture_name(model: Any) -> str:
    """An architecture in words; other names stay as they are."""
    return _ARCHITECTURES.get(model, str(model))


def colour_of(models: Sequence[Any]) -> dict[Any, str]:
    """A colour for every architecture: the three of the papers always have the same."""
    free = [c for c in _COLOURS if c not in {_FIXED.get(model) for model in models}] or _COLOURS
    others = [model for model in models if model not in _FIXED]
    colours = _FIXED | {model: free[i % len(free)] for i, model in enumerate(others)}
    return {model: colours[model] for model in models}


def setting_columns(df: pd.DataFrame, by: Sequence[str] | None = None) -> list[str]:
    """The columns that tell the settings of an architecture apart: each varies beside the others.

    A width that follows from the scale is left out.

    Args:
        df: one row per run.
        by: the columns to use; None: as :func:`llr.analysis.summary_table` chooses them.

    Raises:
        InvalidInputError: if a column is missing, or runs differ in a column of unknown meaning.
    """
    names = group_columns(df, by)
    first = ["model"] if "model" in df.columns else []
    varied = varied_columns(df, [*first, *(name for name in names if name != "model")])
    return [name for name in varied if name != "model"]


def setting_name(setting: Mapping[Any, Any], columns: Sequence[str]) -> str:
    """A setting in words: ``10x``, ``width 30``, ``std 1e-10``; empty for a single setting."""
    present = [name for name in columns if setting.get(name) is not None]
    return ", ".join(_WORDS.get(name, _named(name))(setting[name]) for name in present)


def _named(column: str) -> Callable[[Any], str]:
    """Words for a value of any other column: ``optimizer adam``, ``lr 0.1``."""
    return lambda value: f"{column.replace('_', ' ')} {exact(value)}"


_WORDS: dict[str, Callable[[Any], str]] = {
    "scale": lambda value: f"{exact(value)}x",
    "init_std": lambda value: f"std {exact(value)}",
    "variant": str,
    "n_parameters": lambda value: f"M = {exact(value)}",
}


def exact(value: Any) -> str:
    """A value in words that differ from those of every other value."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return str(value)
    short = sci(value)
    return short if float(short.replace(",", "")) == value else repr(value)


def sci(value: float) -> str:
    """A number as people write it: ``0.001``, ``1e-10``, ``20,000``."""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1e-3:
        return f"{value:g}"
    return np.format_float_scientific(value, trim="-", exp_digits=1)


def short_number(value: float) -> str:
    """A positive number in at most five characters: ``0.3``, ``2e-4``."""
    if 0.095 <= value < 99.5:
        return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"
