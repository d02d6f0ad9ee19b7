"""Exact sums of floats: every finite float is an integer times a power of two."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from llr.theory.arithmetic import Floats, Integers

__all__ = ["BigIntegers", "all_floats", "grouped_sums", "scaled_integers", "to_floats"]

BigIntegers: TypeAlias = npt.NDArray[Any]
"""Python integers of any size, in an array of dtype object."""


def scaled_integers(values: Floats) -> tuple[BigIntegers, int]:
    """Integers k and an exponent e with ``values`` = k 2^e, exactly."""
    mantissa, exponent = np.frexp(values)
    whole = (mantissa * 2.0**53).astype(np.int64)
    used = exponent[whole != 0]
    least = int(used.min()) if used.size else 0
    shift = np.where(whole != 0, exponent - least, 0)
    return whole.astype(object) << shift.astype(object), least - 53


def grouped_sums(values: BigIntegers, group: Integers, n_groups: int) -> BigIntegers:
    """Sums over the columns (m, n) of each group (n,), as (m, n_groups); groups are not empty."""
    if n_groups == 0:
        return np.zeros((len(values), 0), dtype=object)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(n_groups))
    return np.add.reduceat(values[:, order], starts, axis=1)


def to_floats(values: BigIntegers, exponent: int) -> Floats:
    """The floats nearest to ``values`` 2^exponent."""
    divisor, factor = 1 << max(-exponent, 0), 1 << max(exponent, 0)
    flat = [value * factor / divisor for value in values.ravel().tolist()]
    return np.array(flat, dtype=np.float64).reshape(values.shape)


def all_floats(values: BigIntegers) -> bool:
    """Whether all integers have at most 53 significant bits, as floats do."""
    return all(
        value.bit_length() - (value & -value).bit_length() < 53 for value in values.ravel().tolist()
    )
