"""Training engines behind one interface: runs in, results with a status each out."""

from llr.training._engine import AbstractEngine
from llr.training._optimizers import Adam, GradientDescent, GradientFlow, Optimizer
from llr.training._problem import History, Problem, RunResult, Status, log_spaced
from llr.training._train import ENGINES, EngineName, choose_engine, train, train_batch, warmup
from llr.training._warmup import Warmup

__all__ = [
    "ENGINES",
    "AbstractEngine",
    "Adam",
    "EngineName",
    "GradientDescent",
    "GradientFlow",
    "History",
    "Optimizer",
    "Problem",
    "RunResult",
    "Status",
    "Warmup",
    "choose_engine",
    "log_spaced",
    "train",
    "train_batch",
    "warmup",
]
