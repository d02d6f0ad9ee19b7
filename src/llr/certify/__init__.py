"""Proof instead of floating point: certified ranks of any network.

The lower bound is a theorem, by enclosures and exact arithmetic. The upper bound is one where it
can be, and else states the probability that it is wrong.
"""

try:
    from llr.certify._certificate import check_certificate
    from llr.certify._certified_curve import CertifiedCurve, certify_curve
    from llr.certify._certified_llr import CertifiedLLR, certify_llr
    from llr.certify._certified_rank import CertifiedRank
    from llr.certify._certified_size import certify_size
    from llr.certify._certify_rank import certify_rank
except ModuleNotFoundError as error:
    if error.name != "flint":
        raise
    from llr.errors import MissingExtraError

    raise MissingExtraError(
        "certified ranks need python-flint, which is not installed. "
        "Install it: pip install 'llr[certify]'."
    ) from None

__all__ = [
    "CertifiedCurve",
    "CertifiedLLR",
    "CertifiedRank",
    "certify_curve",
    "certify_llr",
    "certify_rank",
    "certify_size",
    "check_certificate",
]
