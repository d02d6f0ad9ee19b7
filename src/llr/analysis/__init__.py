"""From runs to statements: recovery curves, transitions, exponents, clusters."""

from llr.analysis._condensation import Condensation, condensation
from llr.analysis._exponent import Exponent, exponent
from llr.analysis._frame import GROUP_COLUMNS
from llr.analysis._recovery import recovery_curve, wilson_interval
from llr.analysis._tables import summary_table, transition_table
from llr.analysis._transition import Transition, transition

__all__ = [
    "GROUP_COLUMNS",
    "Condensation",
    "Exponent",
    "Transition",
    "condensation",
    "exponent",
    "recovery_curve",
    "summary_table",
    "transition",
    "transition_table",
    "wilson_interval",
]
