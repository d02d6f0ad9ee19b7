"""Which operation of a forward pass ``torch.func`` differentiates differently from ``backward``.

Each call in the forward pass becomes a model of its own: its samples are the call's arguments at
some samples, its parameters are those that the call takes and a zero added to each other argument,
and its result is projected onto as many outputs as the whole model has. The first call whose
products with J differ is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils import _pytree as pytree

from llr._types import Parameters
from llr.tangent._agreement import Allowed, rows_agree, vjp_agrees
from llr.tangent._looped import Looped
from llr.tangent._model_function import ModelFunction
from llr.tangent._samples import Samples, batches, map_samples, sample_count
from llr.tangent._vectorized import Vectorized

__all__ = ["name_the_operation"]

MOST_SAMPLES = 32  # that one call is tried on
UNKNOWN = "its forward"


@dataclass(frozen=True)
class _Call:
    """One call of a function of torch: its arguments in a row, and what puts them together.

    Attributes:
        function: the function.
        arguments: all of them, nested ones too; real tensors that are no parameters are copies.
        form: how they are nested.
        parameters: which arguments are parameters, with their names.
    """

    function: Callable
    arguments: Sequence[object]
    form: pytree.TreeSpec
    parameters: dict[int, str]

    @property
    def tensors(self) -> dict[int, Tensor]:
        """The real tensors among the arguments."""
        return {i: v for i, v in enumerate(self.arguments) if _is_real(v)}


class _Listener(TorchFunctionMode):
    """Notes every call whose result has a gradient."""

    def __init__(self, params: Parameters) -> None:
        super().__init__()
        self._names = {id(value): name for name, value in params.items()}
        self.calls: list[_Call] = []

    def __torch_function__(
        self,
        func: Callable,
        types: Iterable[type],
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> object:
        flat, form = pytree.tree_flatten((args, kwargs or {}))
        names = {i: self._names[id(v)] for i, v in enumerate(flat) if id(v) in self._names}
        differentiable = any(_is_real(v) and v.requires_grad for v in flat)
        kept = [v.detach().clone() if _is_real(v) else v for v in flat] if differentiable else []
        out = func(*args, **(kwargs or {}))
        if differentiable and _real_parts(out):
            self.calls.append(_Call(func, kept, form, names))
        return out


def _is_real(value: object) -> TypeGuard[Tensor]:
    return isinstance(value, Tensor) and value.is_floating_point()


def _real_parts(out: object) -> list[Tensor]:
    return [part for part in pytree.tree_leaves(out) if _is_real(part)]


def _calls_at(function: ModelFunction, sample: Samples) -> list[_Call]:
    """The calls of the forward pass at one sample."""
    params = {name: value.detach().requires_grad_() for name, value in function.params.items()}
    listener = _Listener(params)
    with torch.enable_grad(), listener:
        function(params, sample)
    return listener.calls


def _as_model(calls: list[_Call], n_outputs: int) -> tuple[ModelFunction, Samples]:
    """One call, at each of some samples, as a model and its samples."""
    first = calls[0]
    own = {str(i): v for i, v in first.tensors.items() if i in first.parameters}
    inner = [i for i in first.tensors if i not in first.parameters]
    shifts = {str(i): torch.zeros_like(first.tensors[i]) for i in inner}
    x = {str(i): torch.stack([call.tensors[i] for call in calls]) for i in inner}
    x["index"] = torch.arange(len(calls))

    def one(params: Parameters, sample: Parameters) -> Tensor:
        given = {key: params[key] + sample[key] if key in sample else params[key] for key in params}
        flat = [given.get(str(i), v) for i, v in enumerate(first.arguments)]
        args, kwargs = pytree.tree_unflatten(flat, first.form)
        parts = _real_parts(first.function(*args, **kwargs))
        out = torch.cat([part.flatten() for part in parts])
        weights = torch.sin(1.0 + torch.arange(n_outputs * len(out), device=out.device) ** 2)
        return weights.to(out.dtype).view(n_outputs, len(out)) @ out

    def raw(params: Parameters, x: Samples) -> Tensor:
        assert isinstance(x, dict)
        samples = ({key: leaf[i] for key, leaf in x.items()} for i in range(sample_count(x)))
        return torch.stack([one(params, sample) for sample in samples])

    return ModelFunction({**own, **shifts}, raw), x


def _differs(function: ModelFunction, x: Samples, allowed: Allowed) -> bool:
    """Whether ``torch.func`` fails, or differs from plain autograd, where the latter works."""
    fast, slow = Vectorized(function), Looped(function)
    try:
        out, _ = slow.outputs(x)
        slow.rows(next(batches(x, 1)))
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError):
        return False
    weights = torch.ones(out.numel(), 1, dtype=out.dtype, device=out.device)
    try:
        return not (
            rows_agree(slow, x, fast.rows(x), allowed)
            and vjp_agrees(slow, x, weights, fast.vjp(x, weights), allowed)
        )
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError):
        return True


def name_the_operation(function: ModelFunction, x: Samples, allowed: Allowed) -> str:
    """The first operation at fault, and the parameters that it takes; a general word if none."""
    some = map_samples(lambda leaf: leaf[:MOST_SAMPLES], x)
    per_sample = [_calls_at(function, sample) for sample in batches(some, 1)]
    with torch.no_grad():
        n_outputs = function(function.params, next(batches(x, 1))).shape[1]
    for calls in zip(*per_sample, strict=False):
        if len({call.function for call in calls}) > 1:
            break  # the samples take different branches from here on
        try:
            model, samples = _as_model(list(calls), n_outputs)
        except RuntimeError:  # shapes that depend on the sample
            continue
        if model.params and _differs(model, samples, allowed):
            return _described(function, calls[0])
    return UNKNOWN


def _described(function: ModelFunction, call: _Call) -> str:
    """The operation and where it is."""
    name = resolve_name(call.function) or getattr(call.function, "__name__", "an operation")
    places = []
    for parameter in call.parameters.values():
        path, _, own = parameter.rpartition(".")
        module = function.module
        if path and module is not None:
            places.append(f"{type(module.get_submodule(path)).__name__} {path!r}")
        else:
            places.append(f"parameter {own!r}")
    return f"{name} of {', '.join(dict.fromkeys(places))}" if places else name
