"""The derivatives of all samples of a batch at once, by ``torch.func``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor
from torch.func import grad, jacrev, jvp, vjp, vmap

from llr._types import Parameters
from llr.tangent._linearization import AbstractLinearization, join_parameters
from llr.tangent._samples import Samples, batches, map_samples

__all__ = ["AGREE_RTOL", "Vectorized"]

AGREE_RTOL = 1e-9  # two ways to one number in float64: far above rounding


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
        return join_parameters(rows, 2).flatten(0, 1)

    def _one(self, params: Parameters, sample: Samples) -> Tensor:
        """Outputs (c,) at one sample."""
        return self.function(params, map_samples(lambda leaf: leaf[None], sample))[0]

    def gradients(self, x: Samples) -> Tensor:
        """The gradient of the sum of the outputs at each sample, (n, M)."""
        single = grad(lambda params, sample: self._one(params, sample).sum())
        with _quietly():
            return join_parameters(vmap(single, (None, 0))(self.function.params, x), 1)

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
        allowed = AGREE_RTOL * float(gradient.norm() * v.norm())
        return abs(pushed - float(gradient @ v)) <= allowed

    def vjp(self, x: Samples, weights: Tensor) -> Tensor:
        pull_back = vjp(self._batch(x), self.function.params)[1]
        with _quietly():
            return join_parameters(vmap(pull_back, in_dims=1)(weights)[0], 1)
