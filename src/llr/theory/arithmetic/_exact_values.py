"""Parameters as exact numbers: every finite float is a dyadic rational."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

from llr.errors import InvalidInputError

__all__ = ["Floats", "Integers", "exact_array"]

Integers: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]


def exact_array(name: str, tensor: Tensor) -> Floats:
    """The tensor's values as float64, which holds every float16, bfloat16 and float32 exactly.

    Raises:
        InvalidInputError: if a value is complex, infinite or NaN.
    """
    if tensor.is_complex():
        raise InvalidInputError(f"{name} must be real, got dtype {tensor.dtype}.")
    values = tensor.detach().cpu().double().numpy()
    if not np.isfinite(values).all():
        raise InvalidInputError(
            f"{name} must be finite, got infinite or NaN entries. "
            "The training that made these parameters diverged; take an earlier state."
        )
    return values
