"""What an error of the parameters puts into the singular values of J.

If theta is off by e, J is off by J(theta + e) - J(theta), to first order the second derivative of
f along e. In the direction of a left singular vector u_i that adds a row u_i^T (J(theta + e) -
J(theta)); its norm, over random e of the stated size, is what of sigma_i the error explains.
"""

from __future__ import annotations

import torch
from torch import Tensor

from llr.tangent._singular_values import Spectrum
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["noise_below"]

DRAWS = 3  # errors of the parameters
PROBES = 16  # random vectors that measure a norm: to 18% for one direction, closer for many


def noise_below(
    operator: TangentOperator,
    found: Spectrum,
    param_error: float,
    *,
    generator: torch.Generator,
) -> Tensor:
    """For each r = 0..k-1, the norm of the noise in the directions r+1..k of the basis, (k,)."""
    assert found.basis is not None
    function = operator.function
    square = torch.zeros(found.basis.shape[1], dtype=operator.dtype, device=operator.device)

    def draw(size: int) -> Tensor:
        normal = torch.randn(size, generator=generator, dtype=operator.dtype)
        return normal.to(operator.device)

    for _ in range(DRAWS):
        error = function.split(param_error * draw(function.n_params))
        moved = function.with_params({n: v + error[n] for n, v in function.params.items()})
        there, here = operator.with_function(moved), operator
        if found.side == "right":
            there, here = there.T, here.T
        for _ in range(PROBES):
            probe = draw(there.shape[1])
            change = there @ probe - here @ probe
            square += (found.basis.T @ change).square() / (DRAWS * PROBES)
    return square.flip(0).cumsum(0).flip(0).sqrt()
