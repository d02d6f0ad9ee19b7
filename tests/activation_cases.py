"""Named cases for every activation: one network of each degenerate kind, and its exact rank.

All are two-layer networks on R^2 with hidden biases and one output (``tied``: a shared convolution
on R^3). Ranks are worked out by hand from the tables below: what one generic unit adds, and what
the second unit adds to it.
"""

from __future__ import annotations

from itertools import product
from typing import get_args

from tests.cases import Case, set_weights

from llr.models import AbstractTwoLayer, Activation, SharedConv1D, TwoLayerMLP

__all__ = ["ACTIVATION_CASES", "KINDS"]

D = 2
NAMES = get_args(Activation)
KINDS = ("generic", "duplicate", "flip", "null", "dead", "opposite", "tied")

RAMPS = ("softplus", "logsigmoid", "silu", "gelu", "gelu_tanh", "hardswish")  # s(-z) = s(z) - z
POINTS = ("sigmoid", "hardsigmoid")  # s(-z) = 1 - s(z)
NO_RELATION = ("mish", "relu6", "elu", "celu", "selu", "exp")
HINGES = ("relu", "leaky_relu")
POLYNOMIALS = ("square", "cube", "identity")
HOMOGENEOUS = (*HINGES, "abs", *POLYNOMIALS)
NOT_ZERO_AT_ZERO = (*POINTS, "softplus", "logsigmoid", "cos", "exp", "gaussian")


def unit_rank(name: str) -> int:
    """What one generic unit has: d + 2, one less where a rescaling or shift changes nothing."""
    return D + 1 if name in (*HOMOGENEOUS, "exp") else D + 2


def added(name: str, kind: str) -> int:
    """What the second unit adds to the first."""
    if kind == "generic":
        # square: z_1 (1, x) and z_2 (1, x) share z_1 z_2; identity: all in 1, x_1, x_2
        return {"square": 2, "identity": 0}.get(name, unit_rank(name))
    if kind == "flip":
        if name in RAMPS or name in HINGES:
            return D + 1  # 1, x_1, x_2
        if name in POINTS:
            return 1
        return unit_rank(name) if name in NO_RELATION else 0
    if kind == "null":
        return int(name in NOT_ZERO_AT_ZERO)
    if kind == "dead":
        return int(name != "identity")
    return 0  # duplicate, opposite


def network(name: str, kind: str) -> AbstractTwoLayer:
    """The network of a case."""
    if kind == "tied":
        convolution = SharedConv1D(3, width=1, kernel_size=2, activation=name)
        return set_weights(convolution, [[1.0, -0.5]], [[1.0, 1.5]], [0.75])
    first, second = ([1.0, -0.5], 0.75, 1.0), ([0.5, 2.0], -0.25, 1.5)
    (w, b, a), (w2, b2, a2) = {
        "generic": (first, second),
        "duplicate": (first, (first[0], first[1], 2.0)),
        "flip": (first, ([-1.0, 0.5], -0.75, 2.0)),
        "null": (first, ([0.0, 0.0], 0.0, 0.0)),
        "dead": (first, (second[0], second[1], 0.0)),
        "opposite": (first, (first[0], first[1], -1.0)),
    }[kind]
    return set_weights(TwoLayerMLP(D, width=2, activation=name), [w, w2], [a, a2], [b, b2])


def rank(name: str, kind: str) -> int:
    """The rank of a case."""
    if kind == "tied":
        # 5 parameters; Euler's relation for homogeneous ones, the bias absorbed for exp.
        return 4 if name in (*HOMOGENEOUS, "exp") else 5
    return unit_rank(name) + added(name, kind)


ACTIVATION_CASES: dict[str, Case] = {
    f"{name}-{kind}": Case(
        f"{name}-{kind}",
        lambda name=name, kind=kind: network(name, kind),
        rank(name, kind),
        "d + 2 for each unit, d + 1 where homogeneous; what the second one adds, by its symmetry",
        visible=name not in ("relu6", "hardsigmoid", "hardswish"),  # few samples beyond the knots
    )
    for name, kind in product(NAMES, KINDS)
}
