"""Weights files: torch ``state_dict``, safetensors, YAML; no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llr._types import Parameters
from llr._yaml import parse_yaml
from llr.data._torch_file import load_torch_file
from llr.errors import ConfigError, InvalidInputError, quoted_list

__all__ = ["WEIGHTS_HINT", "read_weights"]

_TORCH = (".pt", ".pth")
_SAFETENSORS = (".safetensors",)
_YAML = (".yaml", ".yml")

WEIGHTS_HINT = (
    "hidden.weight and output.weight (two-layer tanh networks; a Sequential's 0.weight and "
    "2.weight), layers.0.weight, layers.1.weight, ... (deep tanh networks; a single layer: an "
    "affine function), left and right (a factorised matrix), or matrix"
)


def read_weights(path: str | Path) -> Parameters:
    """The tensors of a weights file by name, checked, in float64 on the CPU.

    Args:
        path: ``.pt`` or ``.pth``: a ``state_dict`` saved by ``torch.save`` (read with
            ``weights_only=True``; torch must be 2.6 or newer); ``.safetensors``; ``.yaml`` or
            ``.yml``: numbers and nested lists under dotted or nested names.

    Returns:
        Tensors by name.

    Raises:
        InvalidInputError: naming the file, and the key where one is at fault: an unknown kind of
            file, no such file, contents that are no named tensors of finite real numbers.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*_TORCH, *_SAFETENSORS, *_YAML):
        raise InvalidInputError(
            f"{path}: a weights file must end in one of "
            f"{quoted_list((*_TORCH, *_SAFETENSORS, *_YAML))}, got {suffix!r}."
        )
    if not path.is_file():
        raise InvalidInputError(f"{path}: there is no such weights file.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}.") from None
    if suffix in _YAML:
        raw = _read_yaml(content, path)
    else:
        raw = _read_torch(path) if suffix in _TORCH else _read_safetensors(content, path)
    if not raw:
        raise InvalidInputError(f"{path}: holds no weights; expected {WEIGHTS_HINT}.")
    return {name: _checked(value, f"{path}: {name}") for name, value in raw.items()}


def _read_torch(path: Path) -> Mapping[str, Any]:
    """A state_dict, without running code from the file."""
    value = load_torch_file(path)
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise InvalidInputError(
            f"{path}: must hold a state_dict, tensors by name, got {type(value).__name__}."
        )
    return value


def _read_safetensors(content: bytes, path: Path) -> Mapping[str, Any]:
    """The tensors of a safetensors file."""
    from safetensors.torch import load

    try:
        return load(content)
    except Exception as error:  # SafetensorError and the errors of damaged headers
        raise InvalidInputError(f"{path}: not a safetensors file: {error}.") from None


def _read_yaml(content: bytes, path: Path) -> Mapping[str, Any]:
    """The numbers and lists of a YAML file under dotted names."""
    try:
        value = parse_yaml(content, source=str(path))
    except ConfigError as error:
        raise InvalidInputError(str(error)) from None
    return _flatten(value, str(path))


def _flatten(value: object, source: str, prefix: str = "") -> dict[str, Any]:
    """Nested mappings to dotted names; lists and numbers are values."""
    if not isinstance(value, Mapping):
        raise InvalidInputError(
            f"{source}: must map names to numbers or nested lists of numbers, got "
            f"{type(value).__name__}; expected {WEIGHTS_HINT}."
        )
    flat: dict[str, Any] = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping) and len(name) < 200:  # deeper: an alias to itself
            flat |= _flatten(item, source, f"{name}.")
        else:
            flat[name] = item
    return flat


def _checked(value: object, where: str) -> Tensor:
    """A value of a weights file as a float64 tensor of finite numbers."""
    if isinstance(value, Tensor):
        tensor = value
    else:
        try:
            tensor = torch.tensor(value, dtype=torch.float64)
        except Exception:  # ragged, nested without end, not numbers
            raise InvalidInputError(
                f"{where} must be a number or evenly nested lists of numbers."
            ) from None
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise InvalidInputError(f"{where} must hold real numbers, got {tensor.dtype}.")
    tensor = tensor.detach().to(dtype=torch.float64, device="cpu")
    if not bool(torch.isfinite(tensor).all()):
        raise InvalidInputError(f"{where} must hold finite numbers only.")
    return tensor
