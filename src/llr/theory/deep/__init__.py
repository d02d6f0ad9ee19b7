"""Fully connected networks of any depth."""

from llr.theory.deep._fully_connected_layers import (
    FullyConnected,
    read_fully_connected,
)

__all__ = [
    "FullyConnected",
    "read_fully_connected",
]
