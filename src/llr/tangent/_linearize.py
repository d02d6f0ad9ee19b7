"""Choose how a model is differentiated: all samples at once, or one at a time."""

from __future__ import annotations

import warnings

import torch

from llr.errors import InvalidInputError, LLRError, UnsupportedModuleError
from llr.tangent._linearization import AbstractLinearization
from llr.tangent._looped import Looped
from llr.tangent._model_function import ModelFunction
from llr.tangent._samples import Samples, batches, leaves, map_samples
from llr.tangent._vectorized import AGREE_RTOL, Vectorized

__all__ = ["linearize"]

_TRANSFORM_ERRORS = (RuntimeError, NotImplementedError, TypeError, ValueError)


def _first_sentence(error: Exception) -> str:
    """What an error says, without torch's advice to those who write transforms."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if "data-dependent control flow" in text:
        return "it calls .item() or branches on data"
    return text.split(". ")[0].rstrip(".")


def _hint_for_integers(x: Samples) -> str:
    """What to do about samples that are no floats, if there are any."""
    kinds = {str(leaf.dtype).removeprefix("torch.") for leaf in leaves(x)}
    others = ", ".join(sorted(kinds - {"float64"}))
    return f". x holds {others}: convert to float64 what is no token or mask." if others else ""


def linearize(function: ModelFunction, x: Samples) -> AbstractLinearization:
    """The derivatives of a function at its parameters, in the way that works for it.

    Tries the first two samples. A model that ``torch.func`` cannot transform (a branch that
    depends on data, in-place work on unbatched tensors) is differentiated sample by sample, and a
    warning says so.

    Raises:
        UnsupportedModuleError: if the model is random, or mixes the samples of a batch.
    """
    two = map_samples(lambda leaf: leaf[:2], x)
    fast, slow = Vectorized(function), Looped(function)
    try:
        with torch.no_grad():
            single = torch.cat([function(function.params, part) for part in batches(two, 1)])
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        if isinstance(error, LLRError):
            raise
        shapes = ", ".join(str(("n", *leaf.shape[1:])).replace("'", "") for leaf in leaves(x))
        raise InvalidInputError(
            f"the model must take samples as they are in x, of shape {shapes}, but fails on one: "
            f"{type(error).__name__}: {error}{_hint_for_integers(x)}"
        ) from error
    if not bool(single.isfinite().all()):
        raise InvalidInputError(
            "the outputs at the samples must be finite, got NaN or infinity. Try smaller inputs or "
            "parameters."
        )
    try:
        fast.gradients(two)
    except _TRANSFORM_ERRORS as error:
        if isinstance(error, LLRError):
            raise
        if "random" in str(error) and "vmap" in str(error):
            raise UnsupportedModuleError(
                "f(x) must not be random, but the model draws random numbers in its forward. "
                "Call model.eval() first, or remove the draw."
            ) from error
        if "saved tensor hooks" in str(error):
            raise UnsupportedModuleError(
                "the forward must not be computed again in the backward pass, where it would not "
                "see these parameters, but it uses torch.utils.checkpoint. Switch that off."
            ) from error
        try:
            slow.vjp(two, single.new_ones(single.numel(), 1))
        except _TRANSFORM_ERRORS as own:
            raise UnsupportedModuleError(
                "the model must be differentiable by torch.func or by plain autograd, but both "
                f"fail: {_first_sentence(error)}; {_first_sentence(own)}."
            ) from own
        warnings.warn(
            "The model is differentiated one sample at a time, which is slow, because torch.func "
            f"cannot transform its forward: {_first_sentence(error)}.",
            stacklevel=4,
        )
        return slow
    with torch.no_grad():
        together = function(function.params, two)
    scale = single.abs().max().clamp(min=torch.finfo(torch.float64).tiny)
    if not bool(((together - single).abs() <= AGREE_RTOL * scale).all()):
        raise UnsupportedModuleError(
            "f(x) must depend on x alone, but the outputs at two samples differ when they are "
            "computed together and one by one: the model mixes the samples of a batch, or is "
            "random. Call model.eval() first, or take out what normalises over the batch."
        )
    return fast
