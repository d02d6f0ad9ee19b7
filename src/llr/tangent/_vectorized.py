"""The derivatives of all samples of a batch at once, by ``torch.func``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor
from torch.func import jacrev, jvp, vjp, vmap

from llr._types import Parameters
from llr.tangent._linearization import AbstractLinearization, join_parameters
from llr.tangent._samples import Samples, map_samples

__all__ = ["Vectorized"]


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
    """All samples of a batch at once, by ``torch.func``, which is not always right.

    Some of torch's batching rules fail, or return another derivative than ``backward``, at some
    shapes or all; forward mode passes through ``detach``, where ``backward`` stops.
    """

    def rows(self, x: Samples) -> Tensor:
        with _quietly():
            rows = vmap(jacrev(self._one), (None, 0))(self.function.params, x)
        return join_parameters(rows, 2).flatten(0, 1)

    def _one(self, params: Parameters, sample: Samples) -> Tensor:
        """Outputs (c,) at one sample."""
        return self.function(params, map_samples(lambda leaf: leaf[None], sample))[0]

    def _batch(self, x: Samples) -> Callable[[Parameters], Tensor]:
        """The outputs on a batch, flattened in row order, as a function of the parameters."""
        return lambda params: self.function(params, x).flatten()

    def jvp(self, x: Samples, directions: Tensor) -> Tensor:
        _load_forward_mode()
        outputs, theta = self._batch(x), self.function.params

        def along(v: Tensor) -> Tensor:
            return jvp(outputs, (theta,), (self.function.split(v),))[1]

        with _quietly():
            return vmap(along, out_dims=1)(directions)

    def vjp(self, x: Samples, weights: Tensor) -> Tensor:
        pull_back = vjp(self._batch(x), self.function.params)[1]
        with _quietly():
            return join_parameters(vmap(pull_back, in_dims=1)(weights)[0], 1)
