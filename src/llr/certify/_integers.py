"""Integers among the inputs, such as tokens: known for each sample, without derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from llr.certify._number_arrays import Movement

__all__ = ["Integers"]


class Integers:
    """Integer inputs, known for each sample; they carry no derivative.

    Args:
        values: (n, 1, ...), the sample axis first.
    """

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape without the sample axis."""
        return self.values.shape[1:]

    def moved(self, movement: Movement) -> Integers:
        """Entries moved."""
        flat = self.values.reshape(len(self.values), -1)[:, movement.index]
        return Integers(flat.reshape(len(self.values), *movement.shape))
