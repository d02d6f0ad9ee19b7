"""The LLR test: do these samples pin down the function at a parameter point, to first order?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from llr.errors import InvalidInputError
from llr.models import two_layer_structure
from llr.recovery._llr_result import LLRResult
from llr.seeds import generator
from llr.tangent import (
    FLOAT64_BYTES,
    GrownRank,
    Method,
    Model,
    RankOptions,
    RankResult,
    TangentOperator,
    as_samples,
    concatenate,
    find_spectrum,
    first_count,
    fresh_inputs,
    leading_ranks,
    measure_rank,
    rank_on_growing_samples,
    read_rank,
    unseen_directions,
)
from llr.theory import formal_rank

if TYPE_CHECKING:
    from llr.certify import CertifiedLLR

__all__ = ["check_llr"]

MAX_FORMAL_PARAMETERS = 20_000  # above, exact arithmetic takes longer than the test itself


def check_llr(
    model: Model,
    x: object,
    *,
    params: Mapping[str, Tensor] | None = None,
    inputs: object = None,
    atol: float | None = None,
    rtol: float | None = None,
    gap: float | None = None,
    param_error: float | None = None,
    method: Method = "auto",
    max_memory: float | None = None,
    chunk_size: int | None = None,
    seed: int = 0,
    certify: bool = False,
) -> LLRResult:
    r"""Test whether samples give a local linear recovery guarantee at a parameter point.

    The guarantee at :math:`\theta` from :math:`X` is that f(.; theta) is the only minimiser of
    the loss on X over f(.; theta) + span of its tangent functions. It holds if and only if

    .. math::
        r_X(\theta) = r(\theta)

    (Lemma 1). Both ranks are measured: r_X on x, r on x and further inputs, doubled until the
    rank no longer grows.

    Args:
        model: an ``nn.Module``, or a function ``(params, x) -> y`` of a batch.
        x: n samples along the first axis: a tensor, a dictionary or a tuple of tensors.
        params: parameters by name, in place of the module's own; needed for a function.
        inputs: further inputs that stand for the whole input space; None: Gaussian ones, half of
            them standard normal, half with the mean and spread of x.
        atol: absolute tolerance, as for :func:`llr.model_rank`.
        rtol: tolerance in units of the largest singular value.
        gap: least gap that counts as clear.
        param_error: how far each parameter may be off, root mean square.
        method: ``"auto"``, ``"dense"``, ``"chunked"`` or ``"sketched"``.
        max_memory: bytes the computation may use, about; None: half of what is free.
        chunk_size: rows or vectors worked on at once; None: by memory.
        seed: of the inputs, probes and noise.
        certify: whether to bound both ranks by proofs too (:func:`llr.certify_rank`); the result's
            ``certified`` then answers "yes", "no" or "undecided", beside what is measured.

    Returns:
        The verdict and its evidence.

    Raises:
        InvalidInputError: if an argument is wrong, or the inputs are integers and no ``inputs``
            are given.
        MissingExtraError: if ``certify`` is asked for and python-flint is not installed.
        UnsupportedModuleError: if f(x) is random or depends on the other samples of a batch.

    References:
        Zhang et al., JMLR 26(69), 2025, Definition 2, Lemma 1 and Corollary 1.

    Example:
        >>> import torch, llr
        >>> x = torch.randn(18, 5, generator=torch.Generator().manual_seed(0))
        >>> check_llr(llr.PaperTeacherMLP(), x).recoverable
        True
        >>> few = check_llr(llr.PaperTeacherMLP(), x[:15])
        >>> few.recoverable, few.rank_on_x, few.model_rank, few.samples_needed
        (False, 15, 18, 3)
    """
    options = RankOptions(atol, rtol, gap, param_error, method, max_memory, seed)
    if certify and param_error:
        raise InvalidInputError(
            "certify is a statement about these very parameters, so param_error must be None or 0 "
            f"with it, got {param_error}."
        )
    seen = TangentOperator(model, x, params=params, chunk_size=chunk_size)
    on_x = measure_rank(seen, options)
    whole = _whole_space(seen, on_x, inputs, options)
    rank, rank_on_x = whole.result.rank, min(on_x.rank, whole.result.rank)
    n_missing = rank - rank_on_x
    missing = None
    if 4 * FLOAT64_BYTES * n_missing * seen.shape[1] <= options.budget(seen.device):
        missing = torch.zeros(0, seen.shape[1], dtype=seen.dtype, device=seen.device)
        if n_missing:
            missing = unseen_directions(
                whole.operator, whole.spectrum, rank=rank, seen=seen, rank_seen=rank_on_x
            )
    exact = _exact_rank(model, params)
    doubts = _doubts(on_x, whole.result, exact, whole=inputs is None)
    short = _rows_short(on_x, whole.result, exact) if inputs is None else 0
    needed = _samples_needed(seen.with_samples(whole.drawn), missing, n_missing)
    return LLRResult(
        recoverable=n_missing == 0 and short == 0,
        rank_on_x=rank_on_x,
        model_rank=rank,
        samples_needed=max(needed, math.ceil(short / seen.n_outputs)),
        missing={} if missing is None else seen.function.split(missing),
        verdict="ambiguous" if doubts else "clear",
        message=doubts,
        formal_rank=exact,
        on_x=on_x,
        on_more=whole.result,
        certified=_certified(model, x, params, inputs, seed) if certify else None,
    )


def _certified(
    model: Model, x: object, params: Mapping[str, Tensor] | None, inputs: object, seed: int
) -> CertifiedLLR:
    """Proved bounds on both ranks."""
    from llr.certify import certify_llr

    return certify_llr(model, x, params=params, inputs=inputs, seed=seed)


def _whole_space(
    seen: TangentOperator, on_x: RankResult, inputs: object, options: RankOptions
) -> GrownRank:
    """The rank on x and further inputs, which stands for the model rank."""
    if inputs is not None:
        given = as_samples(inputs, seen.device)
        operator = seen.with_samples(concatenate(seen.samples, given))
        found = find_spectrum(operator, options, vectors=True)
        return GrownRank(operator, found, read_rank(operator, found, options), given)
    draw = fresh_inputs(seen.samples, generator(options.seed, "probe", "inputs"))
    if draw is None:
        raise InvalidInputError(
            "the model rank needs inputs beyond x, and integer inputs cannot be drawn. Pass "
            "inputs=, samples that stand for the whole input space."
        )
    return rank_on_growing_samples(
        seen,
        draw(max(seen.n_samples, first_count(seen.n_outputs))),
        draw,
        options,
        given=seen.samples,
        known_rank=on_x.rank,
        vectors=True,
    )


def _samples_needed(fresh: TangentOperator, missing: Tensor | None, n_missing: int) -> int:
    """How many of the fresh samples it takes to see all missing directions."""
    if n_missing == 0:
        return 0
    fewest = math.ceil(n_missing / fresh.n_outputs)
    if missing is None:
        return fewest
    image = fresh @ missing.T
    factor = torch.linalg.qr(image.T, mode="r").R
    tolerance = max(image.shape) * torch.finfo(image.dtype).eps * float(image.norm())
    ranks = leading_ranks(factor, fresh.n_outputs, tolerance)
    return next((n for n, rank in enumerate(ranks, 1) if rank >= n_missing), fewest)


def _exact_rank(model: Model, params: Mapping[str, Tensor] | None) -> int | None:
    """The formal rank of a two-layer tanh network of moderate size."""
    if not isinstance(model, nn.Module) or two_layer_structure(model) is None:
        return None
    if sum(value.numel() for value in model.parameters()) > MAX_FORMAL_PARAMETERS:
        return None
    return formal_rank(model, params=params)


def _rows_short(on_x: RankResult, on_more: RankResult, exact: int | None) -> int:
    """How many rows x has less than the exact model rank, where that is not the measured one."""
    # With a stated error the point meant is one nearby, which has a rank of its own.
    if exact is None or exact == on_more.rank or on_more.param_error:
        return 0
    return max(0, exact - on_x.n_rows)


def _doubts(on_x: RankResult, on_more: RankResult, exact: int | None, *, whole: bool) -> str:
    """What speaks against the integers; empty if nothing does."""
    parts = []
    for place, result in (("On x", on_x), ("On further inputs", on_more)):
        if result.verdict == "ambiguous":
            parts.append(f"{place}: {result.message}")
    if not on_more.saturated:
        limit = "do not fit max_memory" if whole else "could raise it"
        parts.append(f"The model rank is at least {on_more.rank}; more inputs {limit}.")
    if exact is not None and exact != on_more.rank and not on_more.param_error:
        cause = "below the rounding of the tangent matrix" if whole else "not seen on these inputs"
        parts.append(
            f"The exact model rank at these parameters is {exact}: the other directions are "
            f"{cause}."
        )
        if whole and _rows_short(on_x, on_more, exact):
            parts.append(f"On {on_x.n_rows} rows the guarantee cannot hold there.")
    return " ".join(parts)
