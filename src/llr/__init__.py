"""llr: how many samples does a network need to recover its target?

Model rank, optimistic sample size and recovery experiments for overparameterised networks, after
Zhang, Zhang, Zhang and Bai, "Local Linear Recovery Guarantee of Deep Neural Networks at
Overparameterization", JMLR 26(69), 2025.

Names load on first use: ``import llr`` itself imports neither torch nor anything else heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_ROOMS: dict[str, tuple[str, ...]] = {
    "llr.models": (
        "TwoLayerTanhMLP",
        "SharedTanhConv1D",
        "SharedTanhConv2D",
        "NoShareTanhConv1D",
        "NoShareTanhConv2D",
        "LocallyConnected1D",
        "LocallyConnected2D",
        "MLP",
        "MatrixFactorization",
        "DiagonalNetwork",
        "DifferenceOfSquares",
        "ToyLinear",
        "ToyNonlinear",
        "PaperTeacherMLP",
        "build_model",
        "initialize",
    ),
}

if TYPE_CHECKING:
    from llr.models import (
        MLP,
        DiagonalNetwork,
        DifferenceOfSquares,
        LocallyConnected1D,
        LocallyConnected2D,
        MatrixFactorization,
        NoShareTanhConv1D,
        NoShareTanhConv2D,
        PaperTeacherMLP,
        SharedTanhConv1D,
        SharedTanhConv2D,
        ToyLinear,
        ToyNonlinear,
        TwoLayerTanhMLP,
        build_model,
        initialize,
    )

__all__ = [
    # models
    "TwoLayerTanhMLP",
    "SharedTanhConv1D",
    "SharedTanhConv2D",
    "NoShareTanhConv1D",
    "NoShareTanhConv2D",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "MLP",
    "MatrixFactorization",
    "DiagonalNetwork",
    "DifferenceOfSquares",
    "ToyLinear",
    "ToyNonlinear",
    "PaperTeacherMLP",
    "build_model",
    "initialize",
]

_HOME = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name from its room on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'llr' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted({*globals(), *__all__})
