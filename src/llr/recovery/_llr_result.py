"""The verdict of the LLR test and its evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llr._show import html_lines, to_json
from llr._types import Parameters
from llr.tangent import LOWER_BOUND_NOTE, RankResult, Verdict

if TYPE_CHECKING:
    from llr.certify import CertifiedLLR

__all__ = ["LLRResult"]


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
        certified: the answer from proved bounds on both ranks; None where it was not asked for.
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
    certified: CertifiedLLR | None = field(default=None, repr=False)

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
            "certified": None if self.certified is None else self.certified.answer,
        }

    def to_json(self) -> str:
        """The summary and the shares of the missing directions as JSON; infinite gaps are null."""
        proof = {} if self.certified is None else {"certificate": self.certified.summary()}
        return to_json({**self.summary(), "missing_shares": self.missing_shares(), **proof})

    def _lines(self) -> list[str]:
        """The result in sentences, one per line."""
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
        if self.certified is not None:
            lines.append(self.certified.sentence)
        return [*lines, *(line for line in (self.message, self.caveat) if line)]

    def __repr__(self) -> str:
        return "LLRResult: " + "\n  ".join(self._lines())

    def _repr_html_(self) -> str:
        return html_lines(self._lines())
