"""Whether a model can be differentiated, and in which way."""

from __future__ import annotations

import torch

from llr.errors import InvalidInputError, LLRError, UnsupportedModuleError
from llr.tangent._agreement import Allowed, check_outputs
from llr.tangent._checked import TRANSFORM_ERRORS, Checked, first_sentence
from llr.tangent._looped import Looped
from llr.tangent._model_function import ModelFunction
from llr.tangent._precision import least_precision
from llr.tangent._samples import Samples, batches, leaves, map_samples
from llr.tangent._vectorized import Vectorized

__all__ = ["linearize"]


def _hint_for_integers(x: Samples) -> str:
    """What to do about samples that are not floats, if there are any."""
    kinds = {str(leaf.dtype).removeprefix("torch.") for leaf in leaves(x)}
    others = ", ".join(sorted(kinds - {"float64"}))
    return f". x holds {others}: convert to float64 what is no token or mask." if others else ""


def _check_forward(function: ModelFunction, x: Samples) -> None:
    """Check that the model runs on each sample alone and returns finite numbers.

    Raises:
        InvalidInputError: if it does not.
    """
    try:
        with torch.no_grad():
            single = torch.cat([function(function.params, part) for part in batches(x, 1)])
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


def _check_transforms(function: ModelFunction, x: Samples) -> None:
    """Refuse what ``torch.func`` refuses for a reason, and what plain autograd cannot do either.

    Raises:
        UnsupportedModuleError: if the model is random, computes again in the backward pass, or
            cannot be differentiated at all.
    """
    try:
        Vectorized(function).rows(x)
    except TRANSFORM_ERRORS as error:
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
            Looped(function).rows(x)
        except TRANSFORM_ERRORS as own:
            raise UnsupportedModuleError(
                "the model must be differentiable by torch.func or by plain autograd, but both "
                f"fail: {first_sentence(error)}; {first_sentence(own)}."
            ) from own


def linearize(function: ModelFunction, x: Samples) -> Checked:
    """The derivatives of a function at its parameters, tried on the first two samples.

    A model that ``torch.func`` cannot transform (a branch that depends on data, in-place work on
    unbatched tensors) or transforms into something else than its derivative is differentiated
    sample by sample, and a warning says so.

    Raises:
        InvalidInputError: if the model does not take the samples, or its outputs are not finite.
        UnsupportedModuleError: if the model is random, mixes the samples of a batch, or is not
            differentiable.
    """
    two = map_samples(lambda leaf: leaf[:2], x)
    _check_forward(function, two)
    _check_transforms(function, two)
    precision = least_precision(function, next(batches(two, 1)))
    checked = Checked(function, precision)
    checked.rows(two)
    if checked.is_fast:  # the slow way never puts two samples together
        with torch.no_grad():
            together = function(function.params, two)
        check_outputs(Looped(function), two, together, Allowed.at(precision.eps))
    return checked
