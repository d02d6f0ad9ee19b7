"""The gradient flow: stiff integrators for any module, compiled ones for two-layer networks."""

from llr.training.flow._flow_engine import FlowEngine

__all__ = ["FlowEngine"]
