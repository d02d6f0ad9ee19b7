"""Questions about a network of your own: how small a network computes the same function."""

from llr.diagnostics.condensing import (
    CondensedNetwork,
    CondensedUnit,
    WidthCurve,
    condense,
)

__all__ = ["CondensedNetwork", "CondensedUnit", "WidthCurve", "condense"]
