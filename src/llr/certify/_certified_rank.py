"""The result of a certification: bounds, how each was reached, and what a proof needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from llr._show import html_lines, to_json
from llr.certify._lower_bound import LowerBound, LowerMethod
from llr.certify._rank_problem import RankProblem
from llr.errors import NotProvedError
from llr.tangent import Samples, sample_count

__all__ = ["CertifiedRank", "UpperMethod"]

UpperMethod = Literal[
    "parameters", "rows", "closed form", "null vectors", "exact", "formal activations"
]

_HOW_LOWER = {
    "exact": "exact arithmetic modulo {prime}",
    "float64": "float64 enclosures",
    "balls": "ball arithmetic at {bits} bits",
    "none": "no proof",
}
_HOW_UPPER = {
    "parameters": "the number of parameters",
    "rows": "the number of rows",
    "closed form": "a closed form",
    "null vectors": "null vectors, verified symbolically",
    "exact": "exact arithmetic modulo random primes",
    "formal activations": "activations as symbols modulo random primes",
}


@dataclass(frozen=True)
class CertifiedRank:
    """Bounds on a rank: the lower one is a theorem, the upper one states how sure it is.

    Attributes:
        lower: the rank is at least this, proved.
        upper: the rank is at most this, but for ``upper_chance``.
        lower_by: ``"exact"`` (arithmetic modulo a prime), ``"float64"`` (enclosures), ``"balls"``,
            or ``"none"``.
        upper_by: ``"parameters"``, ``"rows"``, ``"closed form"``, ``"null vectors"``, ``"exact"``
            or ``"formal activations"``.
        upper_chance: an upper bound on the probability that ``upper`` is too low; 0 where it is a
            theorem.
        precision: bits of the arithmetic that proved ``lower``.
        bound: what proved it is a matrix with ||I - C A|| <= bound < 1; 0 where elimination did.
        rows: the rows of the proof, (sample, output), r of them.
        columns: the columns of the proof, positions in the parameters laid end to end.
        samples: the samples that the rows belong to; None if there are none.
        n_rows: rows of the tangent matrix, where x was given; None for the model rank.
        n_params: M, its columns.
        message: what to try where the bounds differ; may be empty.
        seconds: time of each stage.
    """

    lower: int
    upper: int
    lower_by: LowerMethod
    upper_by: UpperMethod
    upper_chance: float
    precision: int
    bound: float
    rows: list[tuple[int, int]] = field(repr=False)
    columns: list[int] = field(repr=False)
    samples: Samples | None = field(repr=False)
    n_rows: int | None
    n_params: int
    message: str
    seconds: dict[str, float] = field(repr=False)
    _problem: RankProblem = field(repr=False, compare=False)
    _proof: LowerBound = field(repr=False, compare=False)

    @property
    def proved(self) -> bool:
        """Whether the bounds agree."""
        return self.lower == self.upper

    @property
    def rank(self) -> int:
        """The rank.

        Raises:
            NotProvedError: if the bounds differ.
        """
        if not self.proved:
            raise NotProvedError(
                f"the rank must be proved to be asked for, and it lies between {self.lower} and "
                f"{self.upper}. {self.message}".strip()
            )
        return self.lower

    @property
    def deterministic(self) -> bool:
        """Whether both bounds are theorems."""
        return self.upper_chance == 0

    def save(self, path: str | Path) -> None:
        """Write a certificate, which :func:`llr.check_certificate` checks independently.

        JSON with the claims, the samples, rows and columns of the proof, and hashes of the model
        and its parameters; the format is in the documentation on certified ranks.

        Args:
            path: the file.

        Raises:
            InvalidInputError: if the model is a function, or the file cannot be written.
            UnsupportedModuleError: if ``torch.export`` does not take the model.
        """
        from llr.certify._certificate import write_certificate

        claims = {
            "lower": {
                "rank": self.lower,
                "method": self.lower_by,
                "precision": self.precision,
                "prime": self._proof.prime,
                "columns": self.columns,
            },
            "upper": {"rank": self.upper, "by": self.upper_by, "chance": self.upper_chance},
        }
        write_certificate(
            Path(path),
            self._problem,
            claims,
            samples=self.samples,
            rows=self.rows,
            n_rows=self.n_rows,
        )

    def summary(self) -> dict[str, object]:
        """One flat row."""
        return {
            "lower": self.lower,
            "upper": self.upper,
            "proved": self.proved,
            "rank": self.lower if self.proved else None,
            "lower_by": self.lower_by,
            "upper_by": self.upper_by,
            "upper_chance": self.upper_chance,
            "precision": self.precision,
            "bound": self.bound,
            "n_samples": 0 if self.samples is None else sample_count(self.samples),
            "n_rows": self.n_rows,
            "n_params": self.n_params,
            "seconds": sum(self.seconds.values()),
            "message": self.message,
        }

    def to_json(self) -> str:
        """The summary, and the seconds by stage, as JSON."""
        return to_json({**self.summary(), "seconds_by_stage": self.seconds})

    @property
    def lines(self) -> list[str]:
        """What a reader needs, a sentence per line."""
        lower = _HOW_LOWER[self.lower_by].format(prime=self._proof.prime, bits=self.precision)
        chance = (
            "a theorem"
            if self.deterministic
            else f"wrong with a probability of at most {self.upper_chance:.0e}"
        )
        if self.proved:
            head = f"rank {self.lower}, proved ✓"
        else:
            head = f"rank between {self.lower} and {self.upper}"
        of = "" if self.n_rows is None else f"{self.n_rows} rows x "
        lines = [
            f"{head} (of {of}{self.n_params} parameters)",
            f"at least {self.lower}: a theorem, by {lower}",
            f"at most {self.upper}: {chance}, by {_HOW_UPPER[self.upper_by]}",
        ]
        return [*lines, *([self.message] if self.message else [])]

    def __repr__(self) -> str:
        return "CertifiedRank: " + "\n  ".join(self.lines)

    def _repr_html_(self) -> str:
        seal = (
            "<span style='border:1px solid;border-radius:1em;padding:0 .6em;font-weight:bold'>"
            f"rank {self.lower} ✓ proved</span>"
            if self.proved
            else f"<b>rank between {self.lower} and {self.upper}</b>"
        )
        return f"{seal}<br>{html_lines(self.lines[1:])}"
