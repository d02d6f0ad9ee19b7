"""The tangent space of a model at a parameter point: matrix, operator, rank."""

from llr.tangent._curve import RankCurve, leading_ranks, rank_curve
from llr.tangent._function import Model
from llr.tangent._inputs import fresh_inputs
from llr.tangent._memory import FLOAT64_BYTES
from llr.tangent._operator import TangentOperator, tangent_matrix
from llr.tangent._rank import BOUND_FROM_BELOW, RankOptions, RankResult, model_rank
from llr.tangent._samples import Samples, as_samples, concatenate, sample_count
from llr.tangent._spectrum import Method, Spectrum
from llr.tangent._unseen import unseen_directions
from llr.tangent._verdict import Verdict

__all__ = [
    "BOUND_FROM_BELOW",
    "FLOAT64_BYTES",
    "Method",
    "Model",
    "RankCurve",
    "RankOptions",
    "RankResult",
    "Samples",
    "Spectrum",
    "TangentOperator",
    "Verdict",
    "as_samples",
    "concatenate",
    "fresh_inputs",
    "leading_ranks",
    "model_rank",
    "rank_curve",
    "sample_count",
    "tangent_matrix",
    "unseen_directions",
]
