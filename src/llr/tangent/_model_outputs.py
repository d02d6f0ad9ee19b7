"""The tensors of a model's output."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from llr.errors import UnsupportedModuleError

__all__ = ["output_leaves"]


def output_leaves(out: object) -> list[Tensor]:
    """The tensors of a model's output, in order."""
    if isinstance(out, Tensor):
        return [out]
    parts = list(out.values()) if isinstance(out, Mapping) else out
    if isinstance(parts, (tuple, list)) and parts and all(isinstance(p, Tensor) for p in parts):
        return list(parts)
    raise UnsupportedModuleError(
        "the model must return a tensor, or a tuple or dictionary of tensors, got "
        f"{_nesting(out)}. Wrap it in a module that returns the outputs you mean."
    )


def _nesting(out: object) -> str:
    """What an output is made of, e.g. ``(Tensor, (Tensor, Tensor))``."""
    if isinstance(out, Mapping):
        return "{" + ", ".join(f"{key!r}: {_nesting(part)}" for key, part in out.items()) + "}"
    if isinstance(out, (tuple, list)):
        inner = ", ".join(map(_nesting, out))
        return f"[{inner}]" if isinstance(out, list) else f"({inner})"
    return type(out).__name__
