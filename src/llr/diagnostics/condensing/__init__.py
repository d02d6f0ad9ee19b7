"""The narrowest network with almost the same function."""

from llr.diagnostics.condensing._condense import condense
from llr.diagnostics.condensing._condensed_network import CondensedNetwork
from llr.diagnostics.condensing._unit_fates import CondensedUnit
from llr.diagnostics.condensing._width_curve import WidthCurve

__all__ = ["CondensedNetwork", "CondensedUnit", "WidthCurve", "condense"]
