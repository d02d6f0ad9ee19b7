"""Executors: apply a function to items in this process, in several, or on a Ray cluster."""

from llr.executors._abstract import AbstractExecutor, Failure, Outcome
from llr.executors._in_process import InProcessExecutor
from llr.executors._processes import ProcessExecutor
from llr.executors._ray import RayExecutor

__all__ = [
    "AbstractExecutor",
    "Failure",
    "InProcessExecutor",
    "Outcome",
    "ProcessExecutor",
    "RayExecutor",
]
