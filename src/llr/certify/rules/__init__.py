"""One rule for each ATen operation, by kind; importing this package registers them all."""

from llr.certify.rules import (
    activation,
    arithmetic,
    convolution,
    kink,
    movement,
    normalization,
    pooling,
    reduction,
    token,
)

__all__ = [
    "activation",
    "arithmetic",
    "convolution",
    "kink",
    "movement",
    "normalization",
    "pooling",
    "reduction",
    "token",
]
