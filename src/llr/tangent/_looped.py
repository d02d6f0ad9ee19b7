"""The derivatives of one sample at a time, by plain autograd."""

from __future__ import annotations

import torch
from torch import Tensor

from llr.tangent._linearization import AbstractLinearization
from llr.tangent._samples import Samples, batches

__all__ = ["Looped"]


class Looped(AbstractLinearization):
    """One sample at a time, by plain autograd: works wherever ``backward`` does."""

    def _outputs(self, sample: Samples) -> tuple[Tensor, list[Tensor]]:
        """Outputs (c,) at a batch of one, and the leaves that they depend on."""
        leaves = {n: v.detach().requires_grad_() for n, v in self.function.params.items()}
        with torch.enable_grad():
            out = self.function(leaves, sample)[0]
        return out, list(leaves.values())

    @staticmethod
    def _gradient(out: Tensor, leaves: list[Tensor], weight: Tensor) -> Tensor:
        """sum_o weight_o d out_o / d theta, shape (M,)."""
        if not out.requires_grad:
            return torch.cat([torch.zeros_like(leaf).flatten() for leaf in leaves])
        parts = torch.autograd.grad(out, leaves, weight, retain_graph=True, materialize_grads=True)
        return torch.cat([part.flatten() for part in parts])

    def rows(self, x: Samples) -> Tensor:
        rows = []
        for sample in batches(x, 1):
            out, leaves = self._outputs(sample)
            for unit in torch.eye(len(out), dtype=out.dtype, device=out.device):
                rows.append(self._gradient(out, leaves, unit))
        return torch.stack(rows)

    def jvp(self, x: Samples, directions: Tensor) -> Tensor:
        return torch.cat([self.rows(sample) @ directions.T for sample in batches(x, 1)])

    def vjp(self, x: Samples, weights: Tensor) -> Tensor:
        total = weights.new_zeros(weights.shape[1], self.function.n_params)
        start = 0
        for sample in batches(x, 1):
            out, leaves = self._outputs(sample)
            part = weights[start : start + len(out)]
            for k, weight in enumerate(part.T):
                total[k] += self._gradient(out, leaves, weight)
            start += len(out)
        return total
