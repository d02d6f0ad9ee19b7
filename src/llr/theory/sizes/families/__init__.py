"""Optimistic sample sizes in fully connected two-layer networks, a file for each argument."""

from llr.theory.sizes.families._constant_part import ConstantPart
from llr.theory.sizes.families._distinct_units import hyperplane_factors
from llr.theory.sizes.families._least_network import least_network
from llr.theory.sizes.families._least_units import LeastUnits, Student
from llr.theory.sizes.families._merged_units import constant_units, merge_groups

__all__ = [
    "ConstantPart",
    "LeastUnits",
    "Student",
    "constant_units",
    "hyperplane_factors",
    "least_network",
    "merge_groups",
]
