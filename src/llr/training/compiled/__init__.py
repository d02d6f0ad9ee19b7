"""Gradient descent and Adam in compiled code, one run per core."""

from llr.training.compiled._compiled_engine import CompiledEngine

__all__ = ["CompiledEngine"]
