"""What a reproduction found, beside what the paper or the theory says: words and numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from llr._show import to_json

__all__ = ["Comparison", "Verdict"]


@dataclass(frozen=True)
class Comparison:
    """One number of the paper or the theory beside the measured one.

    Attributes:
        what: the quantity and the row it belongs to.
        expected: the number to compare with; None where there is none and the row is a record.
        source: where that number comes from.
        measured: the measured number; None where it lies outside the measured range.
        tolerance: largest difference that still counts as agreement.
        relation: what the measured number should be to the expected one.
    """

    what: str
    expected: float | None
    source: str
    measured: float | None
    tolerance: float = 0.0
    relation: Literal["equals", "at most", "at least"] = "equals"

    @property
    def agrees(self) -> bool | None:
        """Whether the relation holds within the tolerance; None where nothing is expected."""
        if self.expected is None:
            return None
        if self.measured is None:
            return False
        excess = self.measured - self.expected
        above = excess <= self.tolerance or self.relation == "at least"
        below = excess >= -self.tolerance or self.relation == "at most"
        return above and below

    def __str__(self) -> str:
        measured = "none" if self.measured is None else f"{self.measured:g}"
        if self.expected is None:
            return f"{self.what}: {measured}"
        relation = "" if self.relation == "equals" else f"{self.relation} "
        mark = "" if self.agrees else "  <- differs"
        return f"{self.what}: {measured}, {self.source} {relation}{self.expected:g}{mark}"

    def summary(self) -> dict[str, Any]:
        """One flat row."""
        return {**asdict(self), "agrees": self.agrees}


@dataclass(frozen=True)
class Verdict:
    """The comparisons of one reproduction and what they amount to.

    Attributes:
        name: name of the reproduction.
        headline: the result in one sentence.
        comparisons: number by number.
        findings: further sentences with the numbers that matter; may be empty.

    Example:
        >>> rank = Comparison("shared", expected=7, source="Theorem 4", measured=7)
        >>> Verdict("jmlr-table2", "All ranks agree.", (rank,)).line
        'jmlr-table2: agrees, 1 of 1 numbers. All ranks agree.'
    """

    name: str
    headline: str
    comparisons: tuple[Comparison, ...]
    findings: str = ""

    @property
    def counts(self) -> tuple[int, int]:
        """How many comparisons agree, and how many there are."""
        agreed = [c.agrees for c in self.comparisons if c.agrees is not None]
        return sum(agreed), len(agreed)

    @property
    def agrees(self) -> bool:
        """Whether every comparison does."""
        agreed, total = self.counts
        return agreed == total

    @property
    def word(self) -> str:
        """``agrees``, ``agrees in part`` or ``differs``."""
        agreed, total = self.counts
        if agreed == total:
            return "agrees"
        return "agrees in part" if agreed else "differs"

    @property
    def line(self) -> str:
        """The verdict in one line: word, count, headline, findings."""
        agreed, total = self.counts
        counted = f"{self.name}: {self.word}, {agreed} of {total} numbers."
        return " ".join(filter(None, (counted, self.headline, self.findings)))

    def summary(self) -> dict[str, Any]:
        """One flat row."""
        agreed, total = self.counts
        return {
            "name": self.name,
            "verdict": self.word,
            "agreed": agreed,
            "compared": total,
            "headline": self.headline,
            "findings": self.findings,
        }

    def to_dict(self) -> dict[str, Any]:
        """The summary and every comparison as plain values."""
        rows = [comparison.summary() for comparison in self.comparisons]
        return {**self.summary(), "comparisons": rows}

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON; numbers that are not finite become null."""
        return to_json(self.to_dict(), indent=2)
