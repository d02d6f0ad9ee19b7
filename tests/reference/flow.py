"""The gradient flow by means that leave nothing to doubt: SciPy, autograd, tiny steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev


@dataclass(frozen=True)
class Flow:
    """Loss, vector field and Hessian of one module on one training set, by autograd."""

    model: nn.Module
    x: Tensor
    y: Tensor
    weight_decay: float = 0.0

    def params(self, theta: Tensor) -> dict[str, Tensor]:
        out, start = {}, 0
        for name, p in self.model.named_parameters():
            out[name] = theta[start : start + p.numel()].reshape(p.shape)
            start += p.numel()
        return out

    def mse(self, theta: Tensor, x: Tensor | None = None, y: Tensor | None = None) -> Tensor:
        x, y = (self.x, self.y) if x is None else (x, y)
        return (functional_call(self.model, self.params(theta), (x,)) - y).square().mean()

    def energy(self, theta: Tensor) -> Tensor:
        return self.mse(theta) + 0.5 * self.weight_decay * theta.square().sum()

    def field(self, theta: Tensor) -> Tensor:
        return -grad(self.energy)(theta)

    def hessian(self, theta: Tensor) -> Tensor:
        return jacrev(grad(self.energy))(theta)

    def initial(self) -> Tensor:
        return torch.cat([p.detach().reshape(-1) for p in self.model.parameters()])


def scipy_flow(
    flow: Flow,
    *,
    tol: float,
    max_time: float,
    rtol: float,
    method: str = "BDF",
    start: Tensor | None = None,
) -> tuple[Tensor, float]:
    """The end of the flow and its time, by SciPy's stiff solvers with the exact Jacobian.

    It begins at ``start``, or at the parameters of the module.
    """

    def log_mse_above_tol(t: float, theta: np.ndarray) -> float:
        return float(flow.mse(torch.from_numpy(theta)).clamp_min(1e-300).log()) - np.log(tol)

    log_mse_above_tol.terminal = True
    start = flow.initial() if start is None else start
    solution = solve_ivp(
        lambda t, theta: flow.field(torch.from_numpy(theta)).numpy(),
        (0.0, max_time),
        start.numpy(),
        method=method,
        jac=lambda t, theta: -flow.hessian(torch.from_numpy(theta)).numpy(),
        rtol=rtol,
        atol=1e-3 * rtol * float(start.square().mean().sqrt()),
        events=log_mse_above_tol,
    )
    assert solution.success
    return torch.from_numpy(solution.y[:, -1].copy()), float(solution.t[-1])
