"""Model rank of a two-layer tanh network from the definition, in many digits.

The tangent matrix is written entry by entry at random inputs, more rows than parameters, and its
rank is the number of pivots of Gaussian elimination with full pivoting that stand out from the
rounding: at 150 digits the true pivots of small networks are far above 1e-60, the false ones far
below 1e-100, and anything between is reported as a failure of the reference itself.
"""

from __future__ import annotations

import random

import mpmath
from torch import nn

from llr.models import two_layer_structure

DIGITS = 150
KEPT, DROPPED = mpmath.mpf("1e-60"), mpmath.mpf("1e-100")


def tangent_row(model: nn.Module, x: list[mpmath.mpf]) -> list[mpmath.mpf]:
    """All derivatives of f(x; theta), in ``named_parameters`` order."""
    structure = two_layer_structure(model)
    assert structure is not None
    weights = structure.unpack(dict(model.named_parameters()))
    kernels = weights.kernels.detach().tolist()
    biases = None if weights.kernel_bias is None else weights.kernel_bias.detach().tolist()
    output = weights.output.detach().tolist()
    channels, positions = structure.channels, structure.positions
    q, s = structure.kernels_per_channel, structure.window_size
    d_kernels = [[[mpmath.mpf(0)] * s for _ in range(q)] for _ in range(channels)]
    d_biases = [[mpmath.mpf(0)] * q for _ in range(channels)]
    d_output = []
    for i in range(channels):
        for j in range(positions):
            kernel = 0 if structure.shared else j
            window = [x[t] for t in structure.windows[j]]
            z = mpmath.fdot(kernels[i][kernel], window)
            if biases is not None:
                z += biases[i][kernel]
            value = mpmath.tanh(z)
            slope = output[i][j] * (1 - value**2)
            d_output.append(value)
            d_biases[i][kernel] += slope
            for t in range(s):
                d_kernels[i][kernel][t] += slope * window[t]
    row = [v for channel in d_kernels for kernel in channel for v in kernel]
    if biases is not None:
        row += [v for channel in d_biases for v in channel]
    row += d_output
    if weights.output_bias is not None:
        row.append(mpmath.mpf(1))
    return row


def high_precision_rank(model: nn.Module, *, seed: int = 0, digits: int = DIGITS) -> int:
    """Rank of the tangent matrix at a few more random inputs than parameters."""
    structure = two_layer_structure(model)
    assert structure is not None
    draw = random.Random(seed)
    with mpmath.workdps(digits):
        rows = []
        for _ in range(structure.n_parameters + 2):
            x = [mpmath.mpf(draw.gauss(0, 1)) for _ in range(structure.input_size)]
            rows.append(tangent_row(model, x))
        return count_pivots(rows)


def count_pivots(rows: list[list[mpmath.mpf]]) -> int:
    """Gaussian elimination with full pivoting on rows scaled to maximum 1."""
    rank = 0
    while rows and rows[0]:
        size, i, j = max(
            (abs(value), i, j) for i, row in enumerate(rows) for j, value in enumerate(row)
        )
        if size < DROPPED:
            break
        assert size > KEPT, f"the reference cannot tell a pivot of {mpmath.nstr(size, 3)} from 0"
        rank += 1
        pivot_row = rows.pop(i)
        pivot = pivot_row.pop(j)
        for row in rows:
            factor = row.pop(j) / pivot
            for k, value in enumerate(pivot_row):
                row[k] -= factor * value
    return rank
