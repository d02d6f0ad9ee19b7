"""Hypothesis strategies for two-layer tanh networks with degenerate units."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import strategies as st
from torch import Tensor

from llr.models import (
    AbstractTwoLayerTanh,
    NoShareTanhConv1D,
    NoShareTanhConv2D,
    SharedTanhConv1D,
    SharedTanhConv2D,
    TwoLayerTanhMLP,
    TwoLayerWeights,
)

FAMILIES: dict[str, Callable[..., AbstractTwoLayerTanh]] = {
    "mlp": lambda d, m, s, **biases: TwoLayerTanhMLP(d, width=m, **biases),
    "shared": lambda d, m, s, **biases: SharedTanhConv1D(d, width=m, kernel_size=s, **biases),
    "unshared": lambda d, m, s, **biases: NoShareTanhConv1D(d, width=m, kernel_size=s, **biases),
    "shared2d": lambda d, m, s, **biases: SharedTanhConv2D(d, width=m, kernel_size=s, **biases),
    "unshared2d": lambda d, m, s, **biases: NoShareTanhConv2D(d, width=m, kernel_size=s, **biases),
}

# Few values, so that units coincide by chance; none so large that tanh saturates.
VALUES = st.sampled_from([0.0, 0.0, 1.0, -1.0, 0.5, 0.75, -0.3])
CHANGES = ("none", "copy", "negate", "shift", "zero in", "zero out", "null", "proportional")


@st.composite
def degenerate_networks(draw: st.DrawFn, most_parameters: int) -> AbstractTwoLayerTanh:
    """A small network, units copied, negated, shifted or zeroed at random."""
    family = draw(st.sampled_from(sorted(FAMILIES)))
    two_dim = family.endswith("2d")
    d = draw(st.integers(2, 3)) if two_dim else draw(st.integers(1, 5))
    s = draw(st.integers(1, min(d, 2 if two_dim else 3)))
    biases = {"hidden_bias": draw(st.booleans()), "output_bias": draw(st.booleans())}
    widest = 1
    while (
        widest < 5
        and FAMILIES[family](d, widest + 1, s, **biases).structure.n_parameters <= most_parameters
    ):
        widest += 1
    model = FAMILIES[family](d, draw(st.integers(1, widest)), s, **biases)
    structure = model.structure
    c, p, q, size = (
        structure.channels,
        structure.positions,
        structure.kernels_per_channel,
        structure.window_size,
    )

    def values(*shape: int) -> Tensor:
        count = int(torch.tensor(shape).prod())
        numbers = draw(st.lists(VALUES, min_size=count, max_size=count))
        return torch.tensor(numbers, dtype=torch.float64).reshape(shape)

    kernels, bias, output = values(c, q, size), values(c, q), values(c, p)
    if not structure.hidden_bias:
        bias.zero_()
    for i in range(c):
        change = draw(st.sampled_from(CHANGES))
        j = draw(st.integers(0, c - 1))
        if change in ("copy", "negate", "proportional"):
            sign = -1 if change == "negate" else 1
            kernels[i], bias[i] = sign * kernels[j], sign * bias[j]
        if change == "proportional":
            output[i] = 2 * output[j]
        if change == "shift":
            kernels[i], bias[i] = kernels[j].roll(1, dims=-1), bias[j]
        if change in ("zero in", "null"):
            kernels[i] = 0
        if change in ("zero out", "null"):
            output[i] = 0
        if change == "null":
            bias[i] = 0
    model.load_state_dict(
        structure.pack(
            TwoLayerWeights(
                kernels=kernels,
                kernel_bias=bias if structure.hidden_bias else None,
                output=output,
                output_bias=torch.tensor(0.5).double() if structure.output_bias else None,
            )
        )
    )
    return model
