"""Symmetry and zeros of activations, keyed by the names of ``llr.models.ACTIVATIONS``."""

from __future__ import annotations

import torch

from llr.models import ACTIVATIONS

__all__ = ["NEVER_ZERO", "ODD", "VALUE_AT_ZERO"]

VALUE_AT_ZERO: dict[str, float] = {
    name: float(row.function(torch.zeros((), dtype=torch.float64)))
    for name, row in ACTIVATIONS.items()
}
"""sigma(0)."""

ODD: set[str] = {
    "tanh",
    "arctan",
    "erf",
    "softsign",
    "tanhshrink",
    "rational",
    "hardtanh",
    "softshrink",
    "sin",
    "cube",
    "identity",
}
"""Activations with sigma(-z) = -sigma(z)."""

NEVER_ZERO = frozenset({"sigmoid", "softplus", "logsigmoid", "exp", "gaussian"})
"""Activations that vanish nowhere."""
