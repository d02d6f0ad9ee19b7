"""The target set of a two-layer network written down branch by branch, and measured."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.autograd.functional import hessian
from torch.func import functional_call, jacrev
from torch.nn.utils import parameters_to_vector


def branch_dimension(
    d: int, bias: bool, live: Sequence[int], free: Sequence[int], *, seed: int = 0
) -> int:
    """Rank of the parametrisation of a branch of fully connected networks with one output.

    Args:
        d: inputs.
        bias: whether neurons have biases.
        live: how many neurons equal each neuron of the target.
        free: how many neurons are in each group whose output weights cancel.
    """
    stream = torch.Generator().manual_seed(seed)
    inner = torch.randn(len(live), d + bias, generator=stream, dtype=torch.float64)
    total = torch.randn(len(live), generator=stream, dtype=torch.float64)
    n_shares = sum(live) - len(live) + sum(free) - len(free)
    n_free = len(free) * (d + bias)
    point = torch.randn(n_free + n_shares, generator=stream, dtype=torch.float64)

    def theta(coordinates):
        kernels, shares = coordinates[:n_free].reshape(-1, d + bias), list(coordinates[n_free:])
        rows, outputs = [], []
        for group, size in enumerate([*live, *free]):
            is_live = group < len(live)
            mine = [shares.pop() for _ in range(size - 1)]
            whole = total[group] if is_live else torch.zeros((), dtype=torch.float64)
            rows += [inner[group] if is_live else kernels[group - len(live)]] * size
            outputs += [*mine, whole - sum(mine, torch.zeros((), dtype=torch.float64))]
        return torch.cat([torch.stack(rows).flatten(), torch.stack(outputs)])

    return int(torch.linalg.matrix_rank(jacrev(theta)(point)))


def hessian_rank(model: nn.Module, target: nn.Module, params, *, n: int = 400) -> int:
    """Rank of the Hessian of the mean squared error over n normal inputs."""
    shape = getattr(model, "input_shape", None)
    x = torch.randn(n, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = target(x).detach()
    names, sizes = list(params), [value.shape for value in params.values()]

    def loss(vector):
        parts = torch.split(vector, [size.numel() for size in sizes])
        theta = {k: v.reshape(s) for k, v, s in zip(names, parts, sizes, strict=True)}
        return (functional_call(model, theta, (x,)) - y).square().mean()

    matrix = hessian(loss, parameters_to_vector(params.values()).detach())
    return int(torch.linalg.matrix_rank(matrix, hermitian=True, rtol=1e-11))
