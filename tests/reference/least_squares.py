"""Plain nonlinear least squares on every parameter of a module, for tests."""

import torch
from scipy.optimize import least_squares
from torch import Tensor, nn
from torch.func import functional_call, jacrev


def fitted_error(module: nn.Module, x: Tensor, wanted: Tensor) -> float:
    """The relative error of the local minimum reached from the module's own parameters."""
    start = {name: value.detach().clone() for name, value in module.named_parameters()}
    sizes = [value.numel() for value in start.values()]

    def outputs(theta: Tensor) -> Tensor:
        parts = zip(start.items(), theta.split(sizes), strict=True)
        return functional_call(module, {n: p.reshape(v.shape) for (n, v), p in parts}, (x,))

    result = least_squares(
        lambda theta: (outputs(torch.from_numpy(theta)) - wanted).detach().flatten().numpy(),
        torch.cat([value.flatten() for value in start.values()]).numpy(),
        jac=lambda theta: jacrev(outputs)(torch.from_numpy(theta)).flatten(0, 1).numpy(),
        method="lm",
        xtol=1e-12,
        ftol=1e-12,
        gtol=1e-12,
        max_nfev=100,
    )
    return float((2 * result.cost) ** 0.5 / wanted.norm())
