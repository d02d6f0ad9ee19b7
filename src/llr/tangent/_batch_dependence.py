"""Modules whose output at one sample is random or depends on the other samples."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from llr.errors import UnsupportedModuleError

__all__ = ["refuse_batch_dependence"]


def refuse_batch_dependence(module: nn.Module) -> None:
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
