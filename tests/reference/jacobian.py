"""The definition of the tangent matrix, one sample and one output at a time, in plain autograd."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn


def jacobian_by_loops(model: nn.Module, samples: list[object], call: Callable) -> Tensor:
    """Row (i, o): d f_o(x_i) / d theta over the trainable parameters, float64.

    ``call(model, sample)`` runs the model on one sample and returns its outputs, any shape.
    """
    model = copy.deepcopy(model).double()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rows = []
    for sample in samples:
        for o in range(call(model, copy.deepcopy(sample)).numel()):
            out = call(model, copy.deepcopy(sample)).flatten()[o]
            grads = torch.autograd.grad(out, trained, allow_unused=True)
            rows.append(
                torch.cat(
                    [
                        torch.zeros_like(p).flatten() if g is None else g.flatten()
                        for p, g in zip(trained, grads, strict=True)
                    ]
                )
            )
    return torch.stack(rows)


def jacobian_by_differences(
    function: Callable[[np.ndarray], np.ndarray], theta: np.ndarray, step: float = 1e-6
) -> np.ndarray:
    """Central differences of outputs, shape (outputs, M): no automatic differentiation at all."""
    columns = []
    for q in range(theta.size):
        shift = np.zeros_like(theta)
        shift[q] = step
        columns.append((function(theta + shift) - function(theta - shift)) / (2 * step))
    return np.stack(columns, axis=1)


def ranks_by_svd(matrix: Tensor, n_outputs: int, tolerance: float) -> list[int]:
    """Rank of the first n samples' rows for every n, a singular value decomposition each."""
    n = len(matrix) // n_outputs
    values = [
        np.linalg.svd(matrix[: i * n_outputs].numpy(), compute_uv=False) for i in range(1, n + 1)
    ]
    return [int((v > tolerance).sum()) for v in values]
