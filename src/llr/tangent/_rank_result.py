"""A measured rank, and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from llr._show import html_table, to_json
from llr.tangent._rank_verdict import Verdict
from llr.tangent._singular_values import Used

__all__ = ["LOWER_BOUND_NOTE", "RankResult"]

LOWER_BOUND_NOTE = (
    "A numerical rank is a lower bound: directions whose singular value is below the rounding of "
    "the largest are not seen."
)
"""Printed with every rank that is read off singular values."""


@dataclass(frozen=True)
class RankResult:
    """A rank, and how far to trust it.

    Attributes:
        rank: numerical rank of the tangent matrix. Where the library drew the
            samples, the model rank: a lower bound, exact where the verdict is clear and no
            direction lies below the rounding of the largest singular value.
        singular_values: of the tangent matrix, descending, float64, on the CPU; the sketched
            method gives those above rounding and a few more.
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
        return to_json({**self.summary(), "singular_values": self.singular_values.tolist()})

    def _lines(self) -> list[str]:
        """The result in sentences, one per line."""
        beside = "" if self.textbook_rank == self.rank else f", textbook: {self.textbook_rank}"
        more = "no further sample raises it" if self.saturated else "more samples could raise it"
        lines = [
            f"rank {self.rank} ({self.verdict}{beside}) of {self.n_rows} rows x {self.n_params} "
            f"parameters; {more}",
            f"gap {self.gap:.1e} at tolerance {self.tolerance:.1e}, {self.method}",
        ]
        return [*lines, *([self.message] if self.message else []), LOWER_BOUND_NOTE]

    def __repr__(self) -> str:
        return "RankResult: " + "\n  ".join(self._lines())

    def _repr_html_(self) -> str:
        rows = [(k, _shown(v)) for k, v in self.summary().items() if v not in (None, "")]
        return f"{html_table(rows)}<p>{LOWER_BOUND_NOTE}</p>"


def _shown(value: object) -> str:
    """A cell of the table."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
