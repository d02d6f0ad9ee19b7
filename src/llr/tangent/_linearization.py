"""Products with the tangent matrix of one batch: rows of J, J V and U^T J.

Two leaves: ``Vectorized`` (all samples at once, by ``torch.func``) and ``Looped`` (one sample at
a time, by plain autograd), for models whose forward ``torch.func`` cannot transform.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor
from torch.func import grad, jacrev, jvp, vjp, vmap

from llr._types import Parameters
from llr.errors import InvalidInputError, LLRError, UnsupportedModuleError
from llr.tangent._function import ModelFunction
from llr.tangent._samples import Samples, batches, leaves, map_samples

__all__ = ["AbstractLinearization", "linearize"]

_TRANSFORM_ERRORS = (RuntimeError, NotImplementedError, TypeError, ValueError)
_AGREE_RTOL = 1e-9  # two ways to one number in float64: far above rounding


class AbstractLinearization(ABC):
    """Interface: the derivatives of one model function at one parameter point."""

    def __init__(self, function: ModelFunction) -> None:
        self.function = function

    @abstractmethod
    def rows(self, x: Samples) -> Tensor:
        """J, shape (n * c, M)."""

    @abstractmethod
    def jvp(self, x: Samples, directions: Tensor) -> Tensor:
        """J V^T, shape (n * c, k), for directions V (k, M) in parameter space."""

    @abstractmethod
    def vjp(self, x: Samples, weights: Tensor) -> Tensor:
        """U^T J, shape (k, M), for weights U (n * c, k) on the rows."""


def _join(params: Parameters, lead: int) -> Tensor:
    """Parameters by name with ``lead`` leading axes, as one tensor with M last."""
    return torch.cat([value.flatten(lead) for value in params.values()], dim=-1)


@cache
def _load_forward_mode() -> None:
    """Let torch load its forward mode, which warns of a deprecation within torch itself."""
    zero = torch.zeros(())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        jvp(torch.sin, (zero,), (zero,))


@contextmanager
def _quietly() -> Iterator[None]:
    """Without torch's notes that it has no batched form of an operation, only a slower one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")
        yield


class Vectorized(AbstractLinearization):
    """All samples of a batch at once, by ``torch.func``."""

    _forward_mode: bool | None = None  # whether to use it, once that is known

    def rows(self, x: Samples) -> Tensor:
        with _quietly():
            rows = vmap(jacrev(self._one), (None, 0))(self.function.params, x)
        return _join(rows, 2).flatten(0, 1)

    def _one(self, params: Parameters, sample: Samples) -> Tensor:
        """Outputs (c,) at one sample."""
        return self.function(params, map_samples(lambda leaf: leaf[None], sample))[0]

    def gradients(self, x: Samples) -> Tensor:
        """The gradient of the sum of the outputs at each sample, (n, M)."""
        single = grad(lambda params, sample: self._one(params, sample).sum())
        with _quietly():
            return _join(vmap(single, (None, 0))(self.function.params, x), 1)

    def _batch(self, x: Samples) -> Callable[[Parameters], Tensor]:
        """The outputs on a batch, flattened in row order, as a function of the parameters."""
        return lambda params: self.function(params, x).flatten()

    def jvp(self, x: Samples, directions: Tensor) -> Tensor:
        if self._forward_mode is None:
            self._forward_mode = self._forward_mode_agrees(next(batches(x, 1)))
        if self._forward_mode:
            return self._push(x, directions)
        return torch.cat([self.rows(sample) @ directions.T for sample in batches(x, 1)])

    def _push(self, x: Samples, directions: Tensor) -> Tensor:
        """J V^T by forward mode."""
        outputs, theta = self._batch(x), self.function.params

        def along(v: Tensor) -> Tensor:
            return jvp(outputs, (theta,), (self.function.split(v),))[1]

        with _quietly():
            return vmap(along, out_dims=1)(directions)

    def _forward_mode_agrees(self, sample: Samples) -> bool:
        """Whether forward mode exists for all operations and means what ``backward`` means.

        Forward mode passes through ``detach``, where ``backward`` stops.
        """
        _load_forward_mode()
        count = torch.arange(self.function.n_params, device=self.function.device)
        v = torch.sin(count.double() + 1.0)  # any vector without structure
        try:
            pushed = float(self._push(sample, v[None]).sum())
        except NotImplementedError:
            return False
        gradient = self.gradients(sample)[0]
        allowed = _AGREE_RTOL * float(gradient.norm() * v.norm())
        return abs(pushed - float(gradient @ v)) <= allowed

    def vjp(self, x: Samples, weights: Tensor) -> Tensor:
        pull_back = vjp(self._batch(x), self.function.params)[1]
        with _quietly():
            return _join(vmap(pull_back, in_dims=1)(weights)[0], 1)


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


def _first_sentence(error: Exception) -> str:
    """What an error says, without torch's advice to those who write transforms."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if "data-dependent control flow" in text:
        return "it calls .item() or branches on data"
    return text.split(". ")[0].rstrip(".")


def _hint_for_integers(x: Samples) -> str:
    """What to do about samples that are no floats, if there are any."""
    kinds = {str(leaf.dtype).removeprefix("torch.") for leaf in leaves(x)}
    others = ", ".join(sorted(kinds - {"float64"}))
    return f". x holds {others}: convert to float64 what is no token or mask." if others else ""


def linearize(function: ModelFunction, x: Samples) -> AbstractLinearization:
    """The derivatives of a function at its parameters, in the way that works for it.

    Tries the first two samples. A model that ``torch.func`` cannot transform (a branch that
    depends on data, in-place work on unbatched tensors) is differentiated sample by sample, and a
    warning says so.

    Raises:
        UnsupportedModuleError: if the model is random, or mixes the samples of a batch.
    """
    two = map_samples(lambda leaf: leaf[:2], x)
    fast, slow = Vectorized(function), Looped(function)
    try:
        with torch.no_grad():
            single = torch.cat([function(function.params, part) for part in batches(two, 1)])
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        if isinstance(error, LLRError):
            raise
        shapes = ", ".join(str(("n", *leaf.shape[1:])).replace("'", "") for leaf in leaves(x))
        raise InvalidInputError(
            f"the model must take samples as they are in x, of shape {shapes}, but fails on one: "
            f"{type(error).__name__}: {error}{_hint_for_integers(x)}"
        ) from error
    if not bool(single.isfinite().all()):
        raise InvalidInputError(
            "the outputs at the samples must be finite, got NaN or infinity. Try smaller inputs or "
            "parameters."
        )
    try:
        fast.gradients(two)
    except _TRANSFORM_ERRORS as error:
        if isinstance(error, LLRError):
            raise
        if "random" in str(error) and "vmap" in str(error):
            raise UnsupportedModuleError(
                "f(x) must not be random, but the model draws random numbers in its forward. "
                "Call model.eval() first, or remove the draw."
            ) from error
        if "saved tensor hooks" in str(error):
            raise UnsupportedModuleError(
                "the forward must not be computed again in the backward pass, where it would not "
                "see these parameters, but it uses torch.utils.checkpoint. Switch that off."
            ) from error
        try:
            slow.vjp(two, single.new_ones(single.numel(), 1))
        except _TRANSFORM_ERRORS as own:
            raise UnsupportedModuleError(
                "the model must be differentiable by torch.func or by plain autograd, but both "
                f"fail: {_first_sentence(error)}; {_first_sentence(own)}."
            ) from own
        warnings.warn(
            "The model is differentiated one sample at a time, which is slow, because torch.func "
            f"cannot transform its forward: {_first_sentence(error)}.",
            stacklevel=4,
        )
        return slow
    with torch.no_grad():
        together = function(function.params, two)
    scale = single.abs().max().clamp(min=torch.finfo(torch.float64).tiny)
    if not bool(((together - single).abs() <= _AGREE_RTOL * scale).all()):
        raise UnsupportedModuleError(
            "f(x) must depend on x alone, but the outputs at two samples differ when they are "
            "computed together and one by one: the model mixes the samples of a batch, or is "
            "random. Call model.eval() first, or take out what normalises over the batch."
        )
    return fast
