"""Proof instead of floating point: certified ranks of any network.

The lower bound is a theorem, by enclosures and exact arithmetic. The upper bound is one where it
can be, and else states the probability that it is wrong.
"""

from llr.certify._certified_rank import CertifiedRank
from llr.certify._certify_rank import certify_rank

__all__ = ["CertifiedRank", "certify_rank"]
