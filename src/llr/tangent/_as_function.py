"""The user's model and parameters as a pure float64 function of parameters and a batch."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.func import functional_call

from llr._types import Parameters
from llr.errors import InvalidInputError, UnsupportedModuleError, did_you_mean, kind_of, quoted_list
from llr.tangent._batch_dependence import refuse_batch_dependence
from llr.tangent._dense_gradients import DenseGradients, has_sparse_gradients
from llr.tangent._model_function import Model, ModelFunction
from llr.tangent._samples import Samples

__all__ = ["as_function"]


def _float64(name: str, value: object, device: torch.device | None = None) -> Tensor:
    """A detached float64 copy of a parameter."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        got = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise InvalidInputError(
            f"params[{name!r}] must be a real floating-point tensor, got {got}."
        )
    if value.layout != torch.strided:
        raise InvalidInputError(
            f"parameters must be dense, since each entry is a column of J, but {name!r} is "
            f"{str(value.layout).removeprefix('torch.')}. Make it a dense parameter, "
            "nn.Parameter(p.to_dense()), and build the sparse tensor in forward."
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
    refuse_batch_dependence(module)
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

    sparse = has_sparse_gradients(module)

    def raw(params: Parameters, x: Samples) -> object:
        args, kwargs = _forward_call(module, x)
        copies = {name: buffer.clone() for name, buffer in buffers.items()}
        with DenseGradients() if sparse else nullcontext():
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
