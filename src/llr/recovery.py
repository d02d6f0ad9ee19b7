"""The LLR test: do these samples pin down the function at a parameter point, to first order?"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.errors import InvalidInputError
from llr.models import two_layer_structure
from llr.seeds import generator
from llr.tangent import (
    FLOAT64_BYTES,
    LOWER_BOUND_NOTE,
    GrownRank,
    Method,
    Model,
    RankOptions,
    RankResult,
    TangentOperator,
    Verdict,
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

__all__ = ["LLRResult", "check_llr"]

MAX_FORMAL_PARAMETERS = 20_000  # above, exact arithmetic takes longer than the test itself


@dataclass(frozen=True)
class LLRResult:
    r"""Whether samples X pin down the function at a parameter point, and what they miss.

    Attributes:
        recoverable: whether the rank on X equals the model rank (Lemma 1), and X has as many
            rows as the exact model rank, where that is known and no ``inputs`` stand for the
            input space.
        rank_on_x: r_X, rank of the tangent matrix on X.
        model_rank: r, rank on X and as many further inputs as raise it.
        samples_needed: how many further generic samples the test needs to pass; 0 if it passes.
        missing: a basis of the tangent functions that X cannot see, as directions in parameter
            space: tensors (r - r_X, \*shape of the parameter) by parameter name, the directions
            orthonormal over all parameters together. Moving along one changes f elsewhere and, to
            first order, nowhere on X. Empty where the basis does not fit ``max_memory``.
        verdict: ``"clear"`` if both ranks are.
        message: why the verdict is ambiguous and what to try; may be empty.
        formal_rank: exact model rank for two-layer tanh networks, at these very parameters
            whatever ``param_error``; None for others.
        on_x: the measurement of ``rank_on_x``.
        on_more: the measurement of ``model_rank``.
    """

    recoverable: bool
    rank_on_x: int
    model_rank: int
    samples_needed: int
    missing: Parameters = field(repr=False)
    verdict: Verdict
    message: str
    formal_rank: int | None
    on_x: RankResult = field(repr=False)
    on_more: RankResult = field(repr=False)

    @property
    def n_missing(self) -> int:
        """Number of tangent functions that X cannot see."""
        return self.model_rank - self.rank_on_x

    @property
    def caveat(self) -> str:
        """What a measured rank cannot tell; empty where the exact rank agrees with it."""
        return "" if self.formal_rank == self.model_rank else LOWER_BOUND_NOTE

    def missing_shares(self) -> dict[str, float]:
        """How much of the missing directions lies in each parameter: shares that add up to 1."""
        squares = {name: float(value.square().sum()) for name, value in self.missing.items()}
        total = sum(squares.values())
        return {name: square / total for name, square in squares.items()} if total else {}

    def summary(self) -> dict[str, object]:
        """One flat row."""
        return {
            "recoverable": self.recoverable,
            "rank_on_x": self.rank_on_x,
            "model_rank": self.model_rank,
            "formal_rank": self.formal_rank,
            "samples_needed": self.samples_needed,
            "verdict": self.verdict,
            "n_rows": self.on_x.n_rows,
            "n_params": self.on_x.n_params,
            "gap_on_x": self.on_x.gap,
            "gap": self.on_more.gap,
            "method": self.on_more.method,
            "message": self.message,
        }

    def to_json(self) -> str:
        """The summary and the shares of the missing directions as JSON; infinite gaps are null."""
        row = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in self.summary().items()
        }
        return json.dumps({**row, "missing_shares": self.missing_shares()})

    def _lines(self) -> list[str]:
        """What a reader needs, a sentence a line."""
        holds = "holds" if self.recoverable else "does not hold"
        relation = "<" if self.n_missing else "="
        exact = ""
        if self.formal_rank is not None:
            where = " at these very parameters" if self.on_more.param_error else ""
            exact = f" (exact{where}: {self.formal_rank})"
        lines = [
            f"the LLR guarantee {holds} ({self.verdict}): rank on x {self.rank_on_x} {relation} "
            f"model rank {self.model_rank}{exact}"
        ]
        if not self.recoverable:
            shares = ", ".join(f"{n} {share:.0%}" for n, share in self.missing_shares().items())
            if self.n_missing:
                lines.append(
                    f"tangent functions that x misses: {self.n_missing}"
                    + (f", in {shares}" if shares else "")
                )
            lines.append(f"further generic samples needed: {self.samples_needed}")
        return [*lines, *(line for line in (self.message, self.caveat) if line)]

    def __repr__(self) -> str:
        return "LLRResult: " + "\n  ".join(self._lines())

    def _repr_html_(self) -> str:
        return "<br>".join(html.escape(line) for line in self._lines())


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

    Returns:
        The verdict and its evidence.

    Raises:
        InvalidInputError: if an argument is wrong, or the inputs are integers and no ``inputs``
            are given.
        UnsupportedModuleError: if f(x) is random or depends on the other samples of a batch.

    References:
        Zhang et al., JMLR 26(69), 2025, Definition 2, Lemma 1 and Corollary 1.

    Example:
        >>> import llr
        >>> x = torch.randn(18, 5, generator=torch.Generator().manual_seed(0))
        >>> check_llr(llr.PaperTeacherMLP(), x).recoverable
        True
        >>> few = check_llr(llr.PaperTeacherMLP(), x[:15])
        >>> few.recoverable, few.rank_on_x, few.model_rank, few.samples_needed
        (False, 15, 18, 3)
    """
    options = RankOptions(atol, rtol, gap, param_error, method, max_memory, seed)
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
    )


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
