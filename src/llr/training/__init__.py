"""Training engines behind one interface: runs in, results with a status each out."""

from llr.training._engine import AbstractEngine
from llr.training._optimizers import Adam, GradientDescent, GradientFlow, Optimizer
from llr.training._problem import History, Problem, RunResult, Status, log_spaced

__all__ = [
    "AbstractEngine",
    "Adam",
    "GradientDescent",
    "GradientFlow",
    "History",
    "Optimizer",
    "Problem",
    "RunResult",
    "Status",
    "log_spaced",
]
