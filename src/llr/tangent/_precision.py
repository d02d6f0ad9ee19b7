"""The least precision in which a forward pass computes what depends on its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from llr._types import Parameters
from llr.tangent._model_function import ModelFunction
from llr.tangent._samples import Samples

__all__ = ["DOUBLE", "Precision", "least_precision"]


@dataclass(frozen=True)
class Precision:
    """A floating-point format.

    Attributes:
        eps: its rounding, relative.
        name: of the format.
    """

    eps: float
    name: str

    @property
    def note(self) -> str:
        """What it means for a rank; empty for float64."""
        if self == DOUBLE:
            return ""
        return (
            f"The model computes in {self.name} inside, where rounding is {self.eps:.0e} of the "
            "largest values: singular values are known to that and not to the rounding of "
            "float64. Remove casts such as .float() from its forward."
        )


DOUBLE = Precision(torch.finfo(torch.float64).eps, "float64")


class _LowPrecision(TorchDispatchMode):
    """Notes every result of less precision than float64, and a number that tells its values."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[torch.dtype, float]] = []

    def __torch_dispatch__(
        self,
        func: Callable,
        types: Iterable[type],
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> object:
        out = func(*args, **(kwargs or {}))
        for part in pytree.tree_leaves(out):
            if isinstance(part, Tensor) and (part.is_floating_point() or part.is_complex()):
                eps = torch.finfo(part.dtype).eps
                if eps > DOUBLE.eps:
                    self.seen.append((part.dtype, _fingerprint(part)))
        return out


def _fingerprint(values: Tensor) -> float:
    """A number that differs where the values do."""
    values = values if values.layout == torch.strided else values.to_dense()
    real = torch.view_as_real(values) if values.is_complex() else values
    flat = real.double().flatten().nan_to_num()
    return float(flat @ torch.sin(1.0 + torch.arange(len(flat), device=flat.device).double()))


def _seen(
    function: ModelFunction, params: Parameters, sample: Samples
) -> list[tuple[torch.dtype, float]]:
    """Results of low precision in the forward pass at one sample."""
    watch = _LowPrecision()
    with torch.no_grad(), watch:
        function(params, sample)
    return watch.seen


def least_precision(function: ModelFunction, sample: Samples) -> Precision:
    """The coarsest format among values that depend on the parameters, at one sample.

    Constants and inputs in low precision do no harm, since the function is then simply another
    one. So the pass is made at two points, and results that are the same do not count.
    """
    here = _seen(function, function.params, sample)
    if not here:
        return DOUBLE
    try:
        there = _seen(function, _moved(function.params), sample)
    except RuntimeError:  # a point where the model does not run
        there = []
    changed = {a[0] for a, b in zip(here, there, strict=False) if a != b}
    if len(here) != len(there):
        changed |= {dtype for dtype, _ in here}
    return max(
        (Precision(torch.finfo(d).eps, str(d).removeprefix("torch.")) for d in changed),
        key=lambda precision: precision.eps,
        default=DOUBLE,
    )


def _moved(params: Parameters) -> Parameters:
    """Another point, so far away that every format shows it."""

    def move(value: Tensor) -> Tensor:
        count = torch.arange(value.numel(), dtype=value.dtype, device=value.device)
        return 1.0625 * value + 0.0625 * torch.sin(1.0 + count).view(value.shape)

    return {name: move(value) for name, value in params.items()}
