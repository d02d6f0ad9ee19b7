"""The tangent space of a model at a parameter point: matrix, operator, rank."""

from llr.tangent._operator import TangentOperator, tangent_matrix

__all__ = ["TangentOperator", "tangent_matrix"]
