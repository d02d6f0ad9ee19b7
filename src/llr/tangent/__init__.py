"""The tangent space of a model at a parameter point: matrix, operator, rank."""

from llr.tangent._curve import RankCurve, leading_ranks, rank_curve
from llr.tangent._inputs import gaussian_like
from llr.tangent._operator import TangentOperator, tangent_matrix
from llr.tangent._rank import BOUND_FROM_BELOW, RankOptions, RankResult, model_rank
from llr.tangent._samples import Samples, as_samples, concatenate
from llr.tangent._unseen import unseen_directions
from llr.tangent._verdict import Verdict

__all__ = [
    "BOUND_FROM_BELOW",
    "RankCurve",
    "RankOptions",
    "RankResult",
    "Samples",
    "TangentOperator",
    "Verdict",
    "as_samples",
    "concatenate",
    "gaussian_like",
    "leading_ranks",
    "model_rank",
    "rank_curve",
    "tangent_matrix",
    "unseen_directions",
]
