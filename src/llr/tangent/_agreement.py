"""Whether products with J by ``torch.func`` are those of plain autograd, on a few samples."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from llr.errors import UnsupportedModuleError
from llr.tangent._looped import Looped
from llr.tangent._samples import Samples, map_samples, sample_count

__all__ = ["Allowed", "check_outputs", "jvp_agrees", "rows_agree", "vjp_agrees"]

CHECKED_SAMPLES = 3


@dataclass(frozen=True)
class Allowed:
    """How far two ways to one number may differ, both far above rounding.

    Attributes:
        relative: in units of the number.
        of_terms: in units of the terms of a sum, where they cancel.
    """

    relative: float
    of_terms: float

    @classmethod
    def at(cls, eps: float) -> Allowed:
        """For values with a rounding of ``eps``."""
        return cls(min(max(1e-9, 1e4 * eps), 0.5), min(1e4 * eps, 0.5))


def _weights(count: int, like: Tensor) -> Tensor:
    """Weights without structure, so that no error cancels."""
    return torch.sin(1.0 + torch.arange(count, dtype=like.dtype, device=like.device) ** 2)


def _chosen(x: Samples) -> list[int]:
    """The samples to check: the first, the last, and those between."""
    n = sample_count(x)
    return sorted({round(i * (n - 1) / (CHECKED_SAMPLES - 1)) for i in range(CHECKED_SAMPLES)})


def _sample(x: Samples, i: int) -> Samples:
    return map_samples(lambda leaf: leaf[i : i + 1], x)


def _gradients_agree(
    slow: Looped, got: Tensor, wanted: Tensor, terms: Tensor, allowed: Allowed
) -> bool:
    """Whether two gradients (M,) are equal up to rounding, parameter by parameter.

    ``terms`` is a gradient of the size of what is summed, where sums may cancel. Where both
    gradients are NaN or infinite they agree: that is the model's own doing.
    """
    finite = wanted.isfinite()
    if not torch.equal(finite, got.isfinite()):
        return False
    got, wanted, terms = (v.where(finite, 0.0) for v in (got, wanted, terms))
    floor = 0.1 * allowed.of_terms * terms.abs().max()
    parts = (slow.function.split(v).values() for v in (got - wanted, wanted, terms))
    for error, own, size in zip(*parts, strict=True):
        if not own.numel():
            continue
        most = allowed.relative * own.abs().max() + allowed.of_terms * size.abs().max() + floor
        if not bool(error.abs().max() <= most):
            return False
    return True


def check_outputs(slow: Looped, x: Samples, together: Tensor, allowed: Allowed) -> None:
    """Check that the outputs (n, c) of a batch are those of its samples.

    Raises:
        UnsupportedModuleError: if they are not.
    """
    for i in _chosen(x):
        with torch.no_grad():
            single = slow.function(slow.function.params, _sample(x, i))[0]
        scale = single.abs().max().clamp(min=torch.finfo(torch.float64).tiny)
        if not bool(((together[i] - single).abs() <= allowed.relative * scale).all()):
            raise UnsupportedModuleError(
                "f(x) must depend on x alone, but the outputs at some samples differ when they "
                "are computed together and one by one: the model mixes the samples of a batch, "
                "or is random. Call model.eval() first, or take out what normalises over the "
                "batch."
            )


def rows_agree(slow: Looped, x: Samples, rows: Tensor, allowed: Allowed) -> bool:
    """Whether rows (n * c, M) of J are the gradients of the outputs."""
    n = sample_count(x)
    for i in _chosen(x):
        out, leaves = slow.outputs(_sample(x, i))
        weight = _weights(out.shape[1], out)
        wanted = slow.gradient(out, leaves, weight[None])
        got = weight @ rows.view(n, -1, rows.shape[1])[i]
        if not _gradients_agree(slow, got, wanted, wanted, allowed):
            return False
    return True


def jvp_agrees(
    slow: Looped, x: Samples, directions: Tensor, product: Tensor, allowed: Allowed
) -> bool:
    """Whether a product (n * c, k) is J V^T for directions V (k, M)."""
    n = sample_count(x)
    for i in _chosen(x):
        out, leaves = slow.outputs(_sample(x, i))
        weight = _weights(out.shape[1], out)
        gradient = slow.gradient(out, leaves, weight[None])
        wanted, got = directions @ gradient, weight @ product.view(n, -1, product.shape[1])[i]
        most = allowed.relative * gradient.norm() * directions.norm(dim=1)
        if not bool(((got - wanted).abs() <= most).all() | ~wanted.isfinite().all()):
            return False
    return True


def vjp_agrees(
    slow: Looped, x: Samples, weights: Tensor, product: Tensor, allowed: Allowed
) -> bool:
    """Whether a product (k, M) is U^T J for weights U (n * c, k), by one backward pass."""
    mix = _weights(weights.shape[1], weights)
    out, leaves = slow.outputs(x)
    check_outputs(slow, x, out.detach(), allowed)
    weight, other = weights @ mix, _weights(len(weights), weights)
    wanted = slow.gradient(out, leaves, weight.view(out.shape))
    terms = slow.gradient(out, leaves, other.view(out.shape)) * (weight.norm() / other.norm())
    return _gradients_agree(slow, mix @ product, wanted, terms, allowed)
