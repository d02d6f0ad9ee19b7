"""The model rank at a parameter point, from singular values of the tangent matrix."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from llr.errors import InvalidInputError, check_number
from llr.models import two_layer_structure
from llr.seeds import generator
from llr.tangent._function import Model, ModelFunction, as_function
from llr.tangent._inputs import gaussian_like, input_shape
from llr.tangent._memory import memory_budget
from llr.tangent._noise import noise_below
from llr.tangent._operator import TangentOperator
from llr.tangent._samples import concatenate
from llr.tangent._spectrum import Method, Spectrum, Used, choose_method, fits, spectrum
from llr.tangent._verdict import Verdict, decide

__all__ = ["BOUND_FROM_BELOW", "RankOptions", "RankResult", "model_rank"]

BOUND_FROM_BELOW = (
    "A numerical rank is a bound from below: directions whose singular value is below the "
    "rounding of the largest are not seen."
)
"""Printed with every rank that comes from singular values."""

PROBE_ROWS = 16  # further rows that test whether more samples could raise the rank
FIRST_ROWS = 64  # rows to begin with where the samples are ours


@dataclass(frozen=True)
class RankResult:
    """A rank, and how far to trust it.

    Attributes:
        rank: numerical rank of the tangent matrix. Without samples of the caller's, the model
            rank: a bound from below, exact where the verdict is clear and no direction lies
            below the rounding of the largest singular value.
        singular_values: of the tangent matrix, descending, float64, on the CPU; by the sketched
            method those above rounding and a few more.
        tolerance: values above it are counted.
        gap: last kept singular value over first dropped one (or over the tolerance, where none is
            dropped).
        n_rows: n * c, rows of the tangent matrix.
        n_params: M, its columns.
        saturated: whether no further sample is seen to raise the rank.
        verdict: ``"clear"``, or ``"ambiguous"`` where no clear gap supports the integer.
        method: ``"dense"``, ``"chunked"`` or ``"sketched"``.
        textbook_rank: count above max(n c, M) eps sigma_1 (or the caller's tolerance), as
            ``torch.linalg.matrix_rank`` has it.
        message: why the verdict is ambiguous and what to try; may be empty.
        param_error: the stated error of the parameters.
    """

    rank: int
    singular_values: Tensor
    tolerance: float
    gap: float
    n_rows: int
    n_params: int
    saturated: bool
    verdict: Verdict
    method: Used
    textbook_rank: int
    message: str
    param_error: float | None = None

    def summary(self) -> dict[str, object]:
        """One flat row: everything, of the singular values the largest and the two at the rank."""

        def value(i: int) -> float | None:
            return float(self.singular_values[i]) if 0 <= i < len(self.singular_values) else None

        return {
            "rank": self.rank,
            "verdict": self.verdict,
            "gap": self.gap,
            "tolerance": self.tolerance,
            "textbook_rank": self.textbook_rank,
            "saturated": self.saturated,
            "n_rows": self.n_rows,
            "n_params": self.n_params,
            "method": self.method,
            "param_error": self.param_error,
            "largest": value(0),
            "last_kept": value(self.rank - 1),
            "first_dropped": value(self.rank),
            "message": self.message,
        }

    def to_json(self) -> str:
        """The summary and all singular values as JSON; an infinite gap is null."""
        row = self.summary()
        row["gap"] = self.gap if math.isfinite(self.gap) else None
        return json.dumps({**row, "singular_values": self.singular_values.tolist()})

    def _lines(self) -> list[str]:
        """What a reader needs, a sentence a line."""
        beside = "" if self.textbook_rank == self.rank else f", textbook: {self.textbook_rank}"
        more = "no further sample raises it" if self.saturated else "more samples could raise it"
        lines = [
            f"rank {self.rank} ({self.verdict}{beside}) of {self.n_rows} rows x {self.n_params} "
            f"parameters; {more}",
            f"gap {self.gap:.1e} at tolerance {self.tolerance:.1e}, {self.method}",
        ]
        return [*lines, *([self.message] if self.message else []), BOUND_FROM_BELOW]

    def __repr__(self) -> str:
        return "RankResult: " + "\n  ".join(self._lines())

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(key)}</th>"
            f"<td style='text-align:left'>{html.escape(_shown(value))}</td></tr>"
            for key, value in self.summary().items()
            if value not in (None, "")
        )
        return f"<table>{cells}</table><p>{BOUND_FROM_BELOW}</p>"


def _shown(value: object) -> str:
    """A cell of the table."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def model_rank(
    model: Model,
    x: object = None,
    *,
    params: Mapping[str, Tensor] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    gap: float | None = None,
    param_error: float | None = None,
    method: Method = "auto",
    max_memory: float | None = None,
    chunk_size: int | None = None,
    seed: int = 0,
) -> RankResult:
    r"""The model rank at a parameter point, or the empirical rank on samples.

    .. math::
        r(\theta) = \dim \operatorname{span}\{\partial f(\cdot; \theta) / \partial \theta_q :
        q = 1..M\}, \qquad r_X(\theta) = \operatorname{rank} J(X, \theta).

    Singular values are those of J in float64, never of J J^T alone. The default tolerance is that
    of ``torch.linalg.matrix_rank``. Among the values above it, the rank is put at the widest gap
    (or the first of at least the widest to the power 0.6), and the verdict is ``"ambiguous"``
    unless that gap is clear, no other is, and nothing between it and the tolerance is left out. A
    numerical rank is a bound from below: directions whose singular value is below the rounding of
    the largest are not seen.

    Args:
        model: an ``nn.Module``, or a function ``(params, x) -> y`` of a batch.
        x: n samples along the first axis: a tensor, a dictionary or a tuple of tensors. None:
            standard normal inputs of the model's input shape, doubled until the rank no longer
            grows.
        params: parameters by name, in place of the module's own; needed for a function.
        atol: absolute tolerance; the rank is then what lies above it.
        rtol: tolerance in units of the largest singular value; likewise.
        gap: least ratio of neighbouring singular values that counts as clear; None: 10^4, and
            10 above the noise of ``param_error``.
        param_error: how far each parameter may be off, root mean square: the singular values that
            such an error explains are not counted. 0: the parameters are exact, so count what
            lies above rounding.
        method: ``"dense"`` (J and its singular values), ``"chunked"`` (J J^T layer by layer, and
            products with J for what it cannot tell; QR by rows where J is tall), ``"sketched"``
            (J times random vectors, for a rank far below the number of rows), or ``"auto"``.
        max_memory: bytes the computation may use, about; None: half of what is free.
        chunk_size: rows or vectors worked on at once; None: by memory.
        seed: of the inputs, probes and noise.

    Returns:
        The rank, the singular values, and how far to trust the integer.

    Raises:
        InvalidInputError: if an argument is wrong, the input shape cannot be told, or the memory
            does not suffice.
        UnsupportedModuleError: if f(x) is random or depends on the other samples of a batch.

    References:
        Zhang et al., JMLR 26(69), 2025, Definitions 4 and 5.

    Example:
        >>> import llr
        >>> result = model_rank(llr.PaperTeacherMLP())
        >>> result.rank, result.verdict
        (18, 'clear')
    """
    measure = RankOptions(atol, rtol, gap, param_error, method, max_memory, seed)
    if x is None:
        return _rank_on_growing_samples(as_function(model, params), measure, chunk_size)
    operator = TangentOperator(model, x, params=params, chunk_size=chunk_size)
    result = measure(operator)
    return replace(result, saturated=_is_saturated(operator, result, measure))


@dataclass(frozen=True)
class RankOptions:
    """How to find a rank: the options of :func:`model_rank`, applied to a tangent operator."""

    atol: float | None = None
    rtol: float | None = None
    gap: float | None = None
    param_error: float | None = None
    method: str = "auto"
    max_memory: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.param_error is None:
            return
        check_number("param_error", self.param_error, minimum=0.0)
        if self.atol is not None or self.rtol is not None:
            raise InvalidInputError(
                "param_error sets the tolerance, so atol and rtol must be None with it, got "
                f"atol={self.atol!r}, rtol={self.rtol!r}."
            )

    def budget(self, device: torch.device) -> int:
        """Bytes to work in."""
        return memory_budget(self.max_memory, device)

    def spectrum(self, operator: TangentOperator, *, vectors: bool) -> Spectrum:
        """Singular values of J, by the method that fits."""
        budget = self.budget(operator.device)
        return spectrum(
            operator,
            choose_method(self.method, *operator.shape, budget),
            budget=budget,
            generator=generator(self.seed, "probe", "spectrum"),
            vectors=vectors,
        )

    def decide(self, operator: TangentOperator, found: Spectrum) -> RankResult:
        """The rank, with ``saturated`` where it follows from the numbers alone."""
        noise = None if self.param_error is None else torch.zeros_like(found.values)
        if self.param_error:
            source = generator(self.seed, "noise", "parameters")
            noise = noise_below(operator, found, self.param_error, generator=source)
        module = operator.function.module
        decision = decide(
            found.values,
            operator.shape,
            atol=self.atol,
            rtol=self.rtol,
            gap=self.gap,
            noise=noise,
            two_layer=module is not None and two_layer_structure(module) is not None,
        )
        return RankResult(
            rank=decision.rank,
            singular_values=found.values.cpu(),
            tolerance=decision.tolerance,
            gap=decision.gap,
            n_rows=operator.shape[0],
            n_params=operator.shape[1],
            saturated=decision.rank == operator.shape[1],
            verdict=decision.verdict,
            method=found.method,
            textbook_rank=decision.textbook_rank,
            message=decision.message,
            param_error=self.param_error,
        )

    def can_grow(self, result: RankResult, device: torch.device) -> bool:
        """Whether the rank of twice as many rows can be found within the memory."""
        full = result.rank == result.n_rows
        return not full or fits(2 * result.n_rows, result.n_params, self.budget(device))

    def __call__(self, operator: TangentOperator) -> RankResult:
        """The rank of one tangent matrix."""
        return self.decide(operator, self.spectrum(operator, vectors=bool(self.param_error)))


def _is_saturated(operator: TangentOperator, result: RankResult, measure: RankOptions) -> bool:
    """Whether further samples, drawn like x, leave the rank as it is."""
    if result.saturated or result.rank == result.n_rows:
        return result.saturated
    count = math.ceil(PROBE_ROWS / operator.n_outputs)
    extra = gaussian_like(operator.samples, count, generator(measure.seed, "probe", "more"))
    if extra is None:  # inputs that cannot be drawn: the rank has stopped short of the rows
        return True
    larger = operator.with_samples(concatenate(operator.samples, extra))
    fixed = replace(measure, atol=result.tolerance, rtol=0.0, param_error=None)
    return fixed(larger).rank == result.rank


def _rank_on_growing_samples(
    function: ModelFunction, measure: RankOptions, chunk_size: int | None
) -> RankResult:
    """The rank on standard normal inputs, doubled until it no longer grows."""
    shape = input_shape(function)
    source = generator(measure.seed, "probe", "inputs")

    def draw(count: int) -> Tensor:
        normal = torch.randn(count, *shape, generator=source, dtype=torch.float64)
        return normal.to(function.device)

    samples = draw(2)
    operator = TangentOperator(function, samples, chunk_size=chunk_size)
    count = max(2, math.ceil(FIRST_ROWS / operator.n_outputs))
    previous = -1
    while True:
        samples = torch.cat([samples, draw(count - len(samples))])
        result = measure(operator.with_samples(samples))
        if result.saturated or (result.rank <= previous and 2 * result.rank <= result.n_rows):
            return replace(result, saturated=True)
        if not measure.can_grow(result, function.device):
            note = (
                f"The rank still grew at {count} samples, and more do not fit max_memory: it is "
                f"at least {result.rank}."
            )
            message = f"{result.message} {note}".strip()
            return replace(result, saturated=False, verdict="ambiguous", message=message)
        previous, count = result.rank, 2 * count
