"""The tangent space of a model at a parameter point: matrix, operator, rank."""

from llr.tangent._operator import TangentOperator, tangent_matrix
from llr.tangent._rank import RankResult, model_rank

__all__ = ["RankResult", "TangentOperator", "model_rank", "tangent_matrix"]
