"""From runs to statements: recovery curves, transitions, exponents, clusters."""

from llr._constants import GROUP_COLUMNS
from llr.analysis._condensation import Condensation, condensation
from llr.analysis._exponent import Exponent, exponent
from llr.analysis._recovery_curve import recovery_curve, wilson_interval
from llr.analysis._run_errors import NOT_TRAINED, counted_error, errors_of
from llr.analysis._run_table import shared_value
from llr.analysis._setting_columns import group_columns, varied_columns
from llr.analysis._summary_rows import RecordSummary
from llr.analysis._summary_tables import summary_table, transition_table
from llr.analysis._transition import Transition, transition

__all__ = [
    "GROUP_COLUMNS",
    "NOT_TRAINED",
    "Condensation",
    "Exponent",
    "RecordSummary",
    "Transition",
    "condensation",
    "counted_error",
    "errors_of",
    "exponent",
    "group_columns",
    "recovery_curve",
    "shared_value",
    "summary_table",
    "transition",
    "transition_table",
    "varied_columns",
    "wilson_interval",
]
