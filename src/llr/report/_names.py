"""How architectures and settings are called and coloured, in every figure and on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

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

# Okabe and Ito's palette, told apart with every common colour blindness; yellow is too pale.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_FIXED = {"mlp": "#0072B2", "cnn_noshare": "#D55E00", "cnn_shared": "#009E73"}


def architecture_name(model: Any) -> str:
    """An architecture in words; a name that is not llr's own stays as it is."""
    return _ARCHITECTURES.get(model, str(model))


def colour_of(models: Sequence[Any]) -> dict[Any, str]:
    """A colour for every architecture: the three of the papers always have the same."""
    free = [c for c in _COLOURS if c not in {_FIXED.get(model) for model in models}] or _COLOURS
    others = [model for model in models if model not in _FIXED]
    colours = _FIXED | {model: free[i % len(free)] for i, model in enumerate(others)}
    return {model: colours[model] for model in models}


def setting_columns(df: pd.DataFrame) -> list[str]:
    """The columns that tell the settings of an architecture apart: each varies beside the others.

    A width that follows from the scale is left out.
    """
    known = [name for name in ("model", "scale", "width", "init_std") if name in df.columns]
    settings = df.filter(items=known).drop_duplicates()

    def kinds(count: int) -> int:
        return max(1, len(settings.filter(items=known[:count]).drop_duplicates()))

    return [
        name
        for i, name in enumerate(known)
        if name != "model" and kinds(i + 1) > (kinds(i) if i else 1)
    ]


def setting_name(setting: Mapping[Any, Any], columns: Sequence[str]) -> str:
    """A setting in words: ``10x``, ``width 30``, ``std 1e-10``; empty if nothing tells apart."""
    words = {
        "scale": lambda value: f"{value:g}x",
        "width": lambda value: f"width {value:g}",
        "init_std": lambda value: f"std {sci(value)}",
    }
    present = [name for name in columns if setting.get(name) is not None]
    return ", ".join(words[name](setting[name]) for name in present)


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
