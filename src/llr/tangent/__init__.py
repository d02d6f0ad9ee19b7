"""The tangent space of a model at a parameter point: matrix, operator, rank."""

from llr._moved import moved_names
from llr.tangent._as_function import as_function
from llr.tangent._gaussian_inputs import as_the_model_takes, fresh_inputs, input_shape
from llr.tangent._growing_samples import GrownRank, first_count, rank_on_growing_samples
from llr.tangent._leading_ranks import leading_ranks
from llr.tangent._measure_rank import find_spectrum, measure_rank, read_rank
from llr.tangent._memory_budget import FLOAT64_BYTES
from llr.tangent._model_function import Model, ModelFunction
from llr.tangent._model_rank import model_rank
from llr.tangent._rank_curve import RankCurve, rank_curve
from llr.tangent._rank_method import Method
from llr.tangent._rank_options import RankOptions
from llr.tangent._rank_result import LOWER_BOUND_NOTE, RankResult
from llr.tangent._rank_verdict import Verdict
from llr.tangent._samples import Samples, as_samples, concatenate, map_samples, sample_count
from llr.tangent._tangent_matrix import tangent_matrix
from llr.tangent._tangent_operator import TangentOperator
from llr.tangent._unseen_directions import unseen_directions

__all__ = [
    "FLOAT64_BYTES",
    "LOWER_BOUND_NOTE",
    "GrownRank",
    "Method",
    "Model",
    "ModelFunction",
    "RankCurve",
    "RankOptions",
    "RankResult",
    "Samples",
    "TangentOperator",
    "Verdict",
    "as_function",
    "as_samples",
    "as_the_model_takes",
    "concatenate",
    "find_spectrum",
    "first_count",
    "fresh_inputs",
    "input_shape",
    "leading_ranks",
    "map_samples",
    "measure_rank",
    "model_rank",
    "rank_curve",
    "rank_on_growing_samples",
    "read_rank",
    "sample_count",
    "tangent_matrix",
    "unseen_directions",
]

__getattr__ = moved_names(__name__, {"BOUND_FROM_BELOW": "llr.tangent:LOWER_BOUND_NOTE"})
