"""The derivatives of one sample at a time, by plain autograd."""

from __future__ import annotations

import torch
from torch import Tensor

from llr.tangent._linearization import AbstractLinearization
from llr.tangent._samples import Samples, batches

__all__ = ["Looped"]


class Looped(AbstractLinearization):
    """One sample at a time, by plain autograd: works wherever ``backward`` does."""

    def outputs(self, x: Samples) -> tuple[Tensor, list[Tensor]]:
        """Outputs (n, c) at a batch, and the leaves that they depend on."""
        leaves = {n: v.detach().requires_grad_() for n, v in self.function.params.items()}
        with torch.enable_grad():
            out = self.function(leaves, x)
        return out, list(leaves.values())

    @staticmethod
    def gradient(out: Tensor, leaves: list[Tensor], weight: Tensor) -> Tensor:
        """The derivative of sum(weight * out) by all parameters, shape (M,)."""
        if not out.requires_grad:
            return torch.cat([torch.zeros_like(leaf).flatten() for leaf in leaves])
        parts = torch.autograd.grad(out, leaves, weight, retain_graph=True, materialize_grads=True)
        dense = (part if part.layout == torch.strided else part.to_dense() for part in parts)
        return torch.cat([part.flatten() for part in dense])

    def rows(self, x: Samples) -> Tensor:
        rows = []
        for sample in batches(x, 1):
            out, leaves = self.outputs(sample)
            for unit in torch.eye(out.shape[1], dtype=out.dtype, device=out.device):
                rows.append(self.gradient(out, leaves, unit[None]))
        return torch.stack(rows)

    def jvp(self, x: Samples, directions: Tensor) -> Tensor:
        return torch.cat([self.rows(sample) @ directions.T for sample in batches(x, 1)])

    def vjp(self, x: Samples, weights: Tensor) -> Tensor:
        total = weights.new_zeros(weights.shape[1], self.function.n_params)
        start = 0
        for sample in batches(x, 1):
            out, leaves = self.outputs(sample)
            part = weights[start : start + out.shape[1]]
            for k, weight in enumerate(part.T):
                total[k] += self.gradient(out, leaves, weight[None])
            start += out.shape[1]
        return total
