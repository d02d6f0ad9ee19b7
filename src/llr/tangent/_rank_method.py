"""Which method finds the singular values of J within a memory budget."""

from __future__ import annotations

from typing import Literal, get_args

from llr.errors import InvalidInputError, check_choice
from llr.tangent._memory_budget import FLOAT64_BYTES
from llr.tangent._singular_values import Used

__all__ = ["FIRST_PROBES", "Method", "bytes_needed", "choose_method", "fits", "pulls_back"]

Method = Literal["auto", "dense", "chunked", "sketched"]

DENSE_ENTRIES = 2**22  # below, a dense J is the quickest as well as the simplest
FIRST_PROBES = 32  # of a sketch


def bytes_needed(rows: int, columns: int) -> dict[Used, int]:
    """Memory that each method takes, roughly; sketched: at the least."""
    small = min(rows, columns)
    return {
        "dense": 3 * FLOAT64_BYTES * rows * columns,
        "chunked": 6 * FLOAT64_BYTES * small**2,
        "sketched": 4 * FLOAT64_BYTES * (FIRST_PROBES * rows + columns),
    }


def fits(rows: int, columns: int, budget: int) -> bool:
    """Whether some method can find a full rank of J of this shape within the budget."""
    needed = bytes_needed(rows, columns)
    return min(needed["dense"], needed["chunked"]) <= budget


def choose_method(method: str, rows: int, columns: int, budget: int) -> Used:
    """The method to use for J of this shape within a memory budget in bytes.

    Raises:
        InvalidInputError: if the method is unknown, or does not fit the memory.
    """
    check_choice("method", method, get_args(Method))
    needed = bytes_needed(rows, columns)
    if method == "auto":
        if rows * columns <= DENSE_ENTRIES and needed["dense"] <= budget:
            return "dense"
        return "chunked" if needed["chunked"] <= budget else "sketched"
    used = check_choice("method", method, get_args(Used))
    if used != "sketched" and needed[used] > budget:
        raise InvalidInputError(
            f"method={used!r} needs about {needed[used]:.2g} bytes for a tangent matrix of "
            f"{rows} x {columns}, which is more than max_memory = {budget:.2g}. Use "
            "method='auto', fewer samples, or a larger max_memory."
        )
    return used


def pulls_back(columns: int, vectors: int, budget: int) -> bool:
    """Whether this many products with J^T fit into the budget together."""
    return 4 * FLOAT64_BYTES * columns * vectors <= budget
