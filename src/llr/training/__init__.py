"""Training: a batch of runs goes to an engine and comes back as one result per run."""

from llr.training._abstract_engine import AbstractEngine
from llr.training._compilation import Warmup
from llr.training._descent_result import descent_result
from llr.training._engines import ENGINES, EngineName, choose_engine, warmup
from llr.training._optimizers import Adam, GradientDescent, GradientFlow, Optimizer
from llr.training._problem import Problem
from llr.training._run_result import History, RunResult, Status, log_spaced
from llr.training._train_runs import train, train_batch
from llr.training._training_record import TrainingRecord

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
    "TrainingRecord",
    "Warmup",
    "choose_engine",
    "descent_result",
    "log_spaced",
    "train",
    "train_batch",
    "warmup",
]
