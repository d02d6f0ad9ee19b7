"""A model as a pure function of its trainable parameters and one batch, in float64."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parameter import UninitializedParameter

from llr._types import Parameters
from llr.errors import InvalidInputError, UnsupportedModuleError, did_you_mean, kind_of, quoted_list
from llr.tangent._samples import Samples, map_samples, sample_count

__all__ = ["Model", "ModelFunction", "as_function"]

Model: TypeAlias = nn.Module | Callable[[Parameters, Samples], Tensor]
"""A module, or a function ``(params, x) -> y`` of a batch."""


@dataclass(frozen=True)
class ModelFunction:
    """f(x; theta) of a batch, theta being the trainable parameters in order.

    Attributes:
        params: the parameters that make the columns of J, float64, detached copies.
        raw: the model's own outputs for (all values of theta, a batch).
        module: the user's module, where there is one; it is only read.
    """

    params: Parameters
    raw: Callable[[Parameters, Samples], object]
    module: nn.Module | None = None

    @cached_property
    def n_params(self) -> int:
        """M, the number of trainable parameters."""
        return sum(value.numel() for value in self.params.values())

    @cached_property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return next(iter(self.params.values())).device

    def split(self, theta: Tensor) -> Parameters:
        """A vector (M,), or vectors (k, M), as parameters by name, with the leading axis kept."""
        parts = theta.split([value.numel() for value in self.params.values()], dim=-1)
        return {
            name: part.reshape(*theta.shape[:-1], *value.shape)
            for (name, value), part in zip(self.params.items(), parts, strict=True)
        }

    def with_params(self, params: Parameters) -> ModelFunction:
        """The same model at another point."""
        return ModelFunction(params, self.raw, self.module)

    def __call__(self, params: Parameters, x: Samples) -> Tensor:
        """Outputs of shape (n, c) at a batch of n samples; work in place is done on a copy."""
        n = sample_count(x)
        try:
            out = self.raw(params, map_samples(torch.clone, x))
        except RuntimeError as error:
            if "expected" in str(error) and "dtype" in str(error):
                raise UnsupportedModuleError(
                    "the model must compute in the dtype of its parameters, since tangent "
                    f"matrices are float64; it failed there: {error} Register constant tensors "
                    "with register_buffer, and write x.to(weight.dtype) in place of x.float()."
                ) from error
            raise
        leaves = _output_leaves(out)
        for leaf in leaves:
            if leaf.dtype != torch.float64:
                raise UnsupportedModuleError(
                    "the model must return real floating-point tensors and compute them in the "
                    f"dtype of its parameters (float64 here), got {leaf.dtype}. "
                    "Remove casts such as .float() or .half() from its forward."
                )
            if leaf.dim() == 0 or leaf.shape[0] != n:
                raise InvalidInputError(
                    f"the model must return one output for each of the {n} samples along the "
                    f"first axis, got shape {tuple(leaf.shape)}."
                )
        return torch.cat([leaf.reshape(n, -1) for leaf in leaves], dim=1)


def _output_leaves(out: object) -> list[Tensor]:
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


def _refuse_batch_dependence(module: nn.Module) -> None:
    """Refuse modules whose output at a sample is random or depends on the other samples."""
    for name, part in module.named_modules():
        kind = f"{type(part).__name__} {name!r}" if name else type(part).__name__
        path = f"model.{name}" if name else "model"
        if isinstance(part, (torch.jit.ScriptModule, nn.DataParallel)):
            raise UnsupportedModuleError(
                f"parameters must be replaceable from outside, but {kind} does not let them. "
                "Pass the module as it was before it was wrapped or compiled."
            )
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            if part.running_mean is None:
                raise UnsupportedModuleError(
                    f"f(x) must depend on x alone, but {kind} has no running statistics, so that "
                    "it mixes the samples of a batch in eval mode too. Build it with "
                    "track_running_stats=True."
                )
            if part.training:
                raise UnsupportedModuleError(
                    f"f(x) must depend on x alone, but {kind} is in train mode and mixes the "
                    f"samples of a batch. Call {path}.eval() first."
                )
        rate = getattr(part, "p", None) if isinstance(part, nn.modules.dropout._DropoutNd) else None
        if isinstance(part, (nn.MultiheadAttention, nn.RNNBase)):
            rate = part.dropout
        if part.training and rate:
            raise UnsupportedModuleError(
                f"f(x) must not be random, but {kind} drops units with probability {rate:g} in "
                f"train mode. Call {path}.eval() first."
            )
        for own, parameter in part.named_parameters(recurse=False):
            if isinstance(parameter, UninitializedParameter):
                raise UnsupportedModuleError(
                    f"parameters must exist, but {kind} has not yet initialised {own!r}. "
                    "Run the model once on a batch first."
                )


def _float64(name: str, value: object, device: torch.device | None = None) -> Tensor:
    """A detached float64 copy of a parameter."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        got = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise InvalidInputError(
            f"params[{name!r}] must be a real floating-point tensor, got {got}."
        )
    if value.device.type == "mps":
        raise InvalidInputError(
            f"tangent matrices are float64, which the device of {name!r} ({value.device}) does "
            "not have. Move the model to the CPU: model.cpu()."
        )
    copy = value.detach().to(device=device, dtype=torch.float64, copy=True)
    if not bool(copy.isfinite().all()):
        raise InvalidInputError(f"parameter {name!r} must be finite, got NaN or infinity.")
    return copy


def _forward_call(module: nn.Module, x: Samples) -> tuple[tuple[object, ...], dict[str, object]]:
    """Positional and keyword arguments of ``module.forward`` for the samples."""
    if isinstance(x, tuple):
        return x, {}
    if isinstance(x, dict):
        accepted = inspect.signature(module.forward).parameters.values()
        keywords = {p.name for p in accepted if p.kind is not p.VAR_KEYWORD}
        if any(p.kind is p.VAR_KEYWORD for p in accepted) or keywords.issuperset(x):
            return (), dict(x)
    return (x,), {}


def _module_function(module: nn.Module, params: Mapping[str, Tensor] | None) -> ModelFunction:
    """A module at its own parameters, or at ``params``, as a function."""
    module = getattr(module, "_orig_mod", module)  # the module inside torch.compile's wrapper
    _refuse_batch_dependence(module)
    own = dict(module.named_parameters())
    for name in params or ():
        if name not in own:
            raise InvalidInputError(
                f"params must use the model's parameter names {quoted_list(own)}, got "
                f"{name!r}.{did_you_mean(name, own)}"
            )
    values = {}
    for name, parameter in own.items():
        given = parameter if params is None else params.get(name, parameter)
        values[name] = _float64(name, given, parameter.device)
        if values[name].shape != parameter.shape:
            raise InvalidInputError(
                f"params[{name!r}] must have shape {tuple(parameter.shape)}, got "
                f"{tuple(values[name].shape)}."
            )
    theta = {name: value for name, value in values.items() if own[name].requires_grad}
    if not theta:
        raise InvalidInputError(
            f"{type(module).__name__} must have at least one parameter with requires_grad=True; "
            "frozen parameters have no tangent functions."
        )
    frozen = {name: value for name, value in values.items() if name not in theta}
    buffers = {
        name: buffer.detach().to(torch.float64) if buffer.is_floating_point() else buffer.detach()
        for name, buffer in module.named_buffers()
    }

    def raw(params: Parameters, x: Samples) -> object:
        args, kwargs = _forward_call(module, x)
        copies = {name: buffer.clone() for name, buffer in buffers.items()}
        out = functional_call(module, {**frozen, **copies, **params}, args, kwargs)
        for name, copy in copies.items():
            if copy._version != 0:
                raise UnsupportedModuleError(
                    f"f must be a function of parameters and input, but its forward changes the "
                    f"buffer {name!r}. Call model.eval() first."
                )
        return out

    return ModelFunction(theta, raw, module)


def as_function(
    model: Model | ModelFunction, params: Mapping[str, Tensor] | None = None
) -> ModelFunction:
    """The user's model and parameters as a pure float64 function; neither is changed.

    Raises:
        InvalidInputError: if the parameters do not fit the model, or a function comes without.
        UnsupportedModuleError: if the output at a sample is random or depends on other samples.
    """
    if isinstance(model, ModelFunction):
        return model
    if isinstance(model, nn.Module):
        return _module_function(model, params)
    if isinstance(model, type) or not callable(model):
        raise InvalidInputError(
            f"model must be an nn.Module or a function (params, x) -> y, got {kind_of(model)}."
        )
    if not params:
        raise InvalidInputError(
            "a function (params, x) -> y needs its parameters: pass params={name: tensor, ...}."
        )
    return ModelFunction({name: _float64(name, value) for name, value in params.items()}, model)
