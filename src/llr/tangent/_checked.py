"""Differentiate in the fast way, checked at every new shape; where that fails, in the slow way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from llr.errors import LLRError, UnsupportedModuleError
from llr.tangent._agreement import Allowed, jvp_agrees, rows_agree, vjp_agrees
from llr.tangent._blame import name_the_operation
from llr.tangent._caller import warn_the_caller
from llr.tangent._linearization import AbstractLinearization
from llr.tangent._looped import Looped
from llr.tangent._model_function import ModelFunction
from llr.tangent._precision import Precision
from llr.tangent._samples import Samples, batches, sample_count
from llr.tangent._vectorized import Vectorized

__all__ = ["TRANSFORM_ERRORS", "Checked", "first_sentence"]

TRANSFORM_ERRORS = (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError)
OTHER_DERIVATIVE = "its derivative by torch.func is not that of backward"


@dataclass
class _Trust:
    """What is known about the fast way.

    Attributes:
        loops: whether it failed, so that only the slow way is used.
        pushes: whether forward mode may be used.
        checked: the kinds and shapes of products that agreed with plain autograd.
    """

    loops: bool = False
    pushes: bool = True
    checked: set[tuple[str, int, int]] = field(default_factory=set)


def first_sentence(error: BaseException) -> str:
    """The error's first sentence, without torch's advice to those who write transforms."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if "data-dependent control flow" in text:
        return "it calls .item() or branches on data"
    return text.split(". ")[0].rstrip(".")


class Checked(AbstractLinearization):
    """``torch.func``, compared with plain autograd on a few samples at every new shape.

    Torch's batching rules can depend on the number of samples, outputs and vectors, so each kind
    and shape of product is compared once. Where rows or J^T U differ or fail, plain autograd is
    used from then on, and one warning names the operation; where J V differs or fails, it is
    computed from rows.
    """

    def __init__(
        self, function: ModelFunction, precision: Precision, trust: _Trust | None = None
    ) -> None:
        super().__init__(function)
        self.precision = precision
        self._allowed = Allowed.at(precision.eps)
        self._fast, self._slow = Vectorized(function), Looped(function)
        self._trust = _Trust() if trust is None else trust

    @property
    def is_fast(self) -> bool:
        """Whether the fast way is in use."""
        return not self._trust.loops

    @property
    def uses_forward_mode(self) -> bool:
        """Whether J V is computed by forward mode."""
        return self.is_fast and self._trust.pushes

    def at(self, function: ModelFunction) -> Checked:
        """The derivatives of another function, which is checked again."""
        return Checked(function, self.precision, replace(self._trust, checked=set()))

    def rows(self, x: Samples) -> Tensor:
        return self._either(
            ("rows", sample_count(x), 0),
            x,
            lambda: self._fast.rows(x),
            lambda rows: rows_agree(self._slow, x, rows, self._allowed),
            lambda: self._slow.rows(x),
        )

    def vjp(self, x: Samples, weights: Tensor) -> Tensor:
        return self._either(
            ("vjp", sample_count(x), weights.shape[1]),
            x,
            lambda: self._fast.vjp(x, weights),
            lambda product: vjp_agrees(self._slow, x, weights, product, self._allowed),
            lambda: self._slow.vjp(x, weights),
        )

    def jvp(self, x: Samples, directions: Tensor) -> Tensor:
        shape = ("jvp", sample_count(x), len(directions))
        if self.uses_forward_mode:
            found, _ = _attempt(lambda: self._fast.jvp(x, directions))
            if found is not None and self._is_trusted(
                shape, lambda: jvp_agrees(self._slow, x, directions, found, self._allowed)
            ):
                return found
            self._trust.pushes = False
        return torch.cat([self.rows(sample) @ directions.T for sample in batches(x, 1)])

    def _is_trusted(self, shape: tuple[str, int, int], agrees: Callable[[], bool]) -> bool:
        """Whether products of this kind and shape agree with plain autograd."""
        if shape not in self._trust.checked and agrees():
            self._trust.checked.add(shape)
        return shape in self._trust.checked

    def _either(
        self,
        shape: tuple[str, int, int],
        x: Samples,
        fast: Callable[[], Tensor],
        agrees: Callable[[Tensor], bool],
        slow: Callable[[], Tensor],
    ) -> Tensor:
        """A product by the fast way if it can be trusted, otherwise by the slow way."""
        if self._trust.loops:
            return _by_autograd(slow)
        found, failure = _attempt(fast)
        if found is not None and self._is_trusted(shape, lambda: agrees(found)):
            return found
        product = _by_autograd(slow)
        self._trust.loops = True
        warn_the_caller(
            "The model is differentiated one sample at a time, which is slow, because of "
            f"{name_the_operation(self.function, x, self._allowed)}: {failure or OTHER_DERIVATIVE}."
        )
        return product


def _by_autograd(product: Callable[[], Tensor]) -> Tensor:
    """A product by plain autograd.

    Raises:
        UnsupportedModuleError: if that fails too.
    """
    try:
        return product()
    except torch.OutOfMemoryError:
        raise
    except TRANSFORM_ERRORS as error:
        if isinstance(error, LLRError):
            raise
        raise UnsupportedModuleError(
            "the model must be differentiable by torch.func or by plain autograd, but the latter "
            f"fails: {first_sentence(error)}."
        ) from error


def _attempt(product: Callable[[], Tensor]) -> tuple[Tensor | None, str]:
    """A product by ``torch.func``, or why there is none."""
    try:
        return product(), ""
    except torch.OutOfMemoryError:
        raise
    except TRANSFORM_ERRORS as error:
        if isinstance(error, LLRError):
            raise
        return None, f"torch.func cannot transform it: {first_sentence(error)}"
