"""Nonlinear least squares by the method of Levenberg and Marquardt."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

__all__ = ["marquardt"]

Point = TypeVar("Point")

ROUNDING = 1e-15  # a residual of this size, in units of the wanted values, is zero
STALLED = 1e-2  # relative gain of a step that counts as none
PATIENCE = 6  # such steps in a row that end the search
GROW, SHRINK, MOST = 4.0, 0.2, 1e12  # of the damping


def marquardt(
    theta: Tensor,
    at: Callable[[Tensor], Point],
    residual: Callable[[Point], Tensor],
    jacobian: Callable[[Tensor, Point], Tensor],
    *,
    scale: float,
    max_steps: int,
) -> tuple[Tensor, Point, int]:
    """Minimise the norm of a residual.

    Args:
        theta: where to begin, (q,).
        at: what is computed once at each point.
        residual: the residual (r,) from it.
        jacobian: its derivatives (r, q).
        scale: norm of what is fitted.
        max_steps: most steps that are taken.

    Returns:
        The best point, what was computed there, and the number of steps.
    """
    found = at(theta)
    best = float(residual(found).norm())
    damping, slow, steps = 1e-3, 0, 0
    while steps < max_steps and slow < PATIENCE and best > ROUNDING * scale:
        factor = torch.linalg.qr(jacobian(theta, found))
        size = factor.R.norm(dim=0)
        size = size.clamp(min=1e-8 * float(size.max()) + 1e-300)
        side = torch.cat([-(factor.Q.T @ residual(found)), torch.zeros_like(theta)])[:, None]
        while damping < MOST:
            damped = torch.cat([factor.R, (damping**0.5 * size).diag()])
            step = torch.linalg.lstsq(damped, side).solution[:, 0]
            there = at(theta + step) if bool(step.isfinite().all()) else None
            norm = float("nan") if there is None else float(residual(there).norm())
            if norm < best and there is not None:
                break
            damping *= GROW
        else:
            break
        slow = slow + 1 if norm > (1 - STALLED) * best else 0
        theta, found, best = theta + step, there, norm
        damping, steps = max(damping * SHRINK, 1e-14), steps + 1
    return theta, found, steps
