"""Numbers that more than one room must agree on."""

from __future__ import annotations

__all__ = ["RECOVERY_THRESHOLD"]

RECOVERY_THRESHOLD = 1e-3
"""A run has recovered the target if its test MSE is below this, the papers' switch from order one
errors to small ones; results files and analysis use the same value."""
