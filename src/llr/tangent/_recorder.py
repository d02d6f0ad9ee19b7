"""Watch a forward pass and record where layers use parameters.

The pass is watched at the level of operations, by a ``TorchFunctionMode``: each use is computed
with the parameter detached and a zero "tap" added to its output, whose gradient is delta. A
parameter that still gets a gradient of its own is used in some other way too, and is left to
general means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from llr._types import Parameters
from llr.tangent._layer_uses import AbstractUse

__all__ = ["Recorder", "Rule"]

Rule: TypeAlias = Callable[..., Tensor | None]


class Recorder(TorchFunctionMode):
    """Watches one forward pass and records the uses of the given parameters.

    Args:
        params: the watched parameters, the very tensors that the forward pass receives.
        n: number of samples: inputs whose first axis has another length are left alone.
        rules: how to record a use, for each function of torch that is watched. A rule takes the
            recorder and the function's arguments; it returns the function's output with a tap
            added, or None to leave the call alone.

    Attributes:
        uses: the recorded uses, in order.
    """

    def __init__(self, params: Parameters, n: int, rules: Mapping[Callable, Rule]) -> None:
        super().__init__()
        self._names = {id(value): name for name, value in params.items()}
        self._n = n
        self._rules = rules
        self.uses: list[AbstractUse] = []

    def __torch_function__(
        self,
        func: Callable,
        types: Iterable[type],
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> object:
        rule = self._rules.get(func)
        out = None if rule is None else rule(self, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {})) if out is None else out

    def name(self, parameter: Tensor | None) -> str | None:
        """The name of a watched parameter."""
        return None if parameter is None else self._names.get(id(parameter))

    def watches(self, x: Tensor, *parameters: Tensor | None) -> bool:
        """Whether a use of these parameters on this input is to be recorded."""
        return (
            torch.is_grad_enabled()
            and x.dim() > 1
            and x.shape[0] == self._n
            and any(map(self.name, parameters))
        )

    def tapped(self, out: Tensor) -> tuple[Tensor, Tensor]:
        """A layer's output plus a zero that takes its gradient, and that zero."""
        tap = out.new_zeros(()).expand(out.shape).requires_grad_()
        return out + tap, tap
