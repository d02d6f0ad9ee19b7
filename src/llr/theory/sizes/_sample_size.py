"""The result type of optimistic sample sizes."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from llr._show import html_table, to_json
from llr._types import Parameters

__all__ = ["Published", "SampleSize"]


@dataclass(frozen=True)
class Published:
    """What the printed formula says.

    Attributes:
        value: its value, with biases counted as its text says.
        formula: the formula, in the papers' letters.
        theorem: where it is printed.
        note: why the true number differs; empty where it does not.
    """

    value: int
    formula: str
    theorem: str
    note: str = ""


@dataclass(frozen=True, repr=False, eq=False)
class SampleSize:
    """Optimistic sample size of a target in a model: least rank over the target's parameters.

    Attributes:
        lower: a lower bound.
        upper: an upper bound; equal to ``lower`` where the size is known.
        lower_theorem: what gives the lower bound.
        upper_theorem: what gives the upper bound.
        published: what the printed formula says; None where none is printed.
        target: the target in words.
        n_parameters: M, the model's number of parameters.
        witness: parameters of the model that express the target at rank ``upper`` (at rank at
            most ``upper`` where the size is only bounded), to rounding.
        assumes: what the value rests on beyond published theorems, a sentence each; empty where
            there is nothing.
        witness_note: why no float64 parameters have rank ``upper``, where that is so, and what
            the witness has instead; else empty.
        model: the model that was asked about.
    """

    lower: int
    upper: int
    lower_theorem: str
    upper_theorem: str
    published: Published | None
    target: str
    n_parameters: int
    witness: Parameters = field(repr=False)
    assumes: tuple[str, ...] = ()
    witness_note: str = ""
    model: nn.Module | None = field(default=None, repr=False)

    @property
    def value(self) -> int | None:
        """The optimistic sample size, None where only bounds are known."""
        return self.upper if self.lower == self.upper else None

    def summary(self) -> dict[str, int | str | None]:
        """One flat row."""
        row: dict[str, int | str | None] = {
            "value": self.value,
            "lower": self.lower,
            "upper": self.upper,
            "lower_theorem": self.lower_theorem,
            "upper_theorem": self.upper_theorem,
            "n_parameters": self.n_parameters,
            "target": self.target,
            "assumes": " ".join(self.assumes),
            "witness_note": self.witness_note,
        }
        published = vars(self.published) if self.published else dict.fromkeys(_PUBLISHED)
        return row | {f"published_{name}": value for name, value in published.items()}

    def to_json(self) -> str:
        """The summary as JSON; the witness is a state dict, to be saved as one."""
        return to_json(self.summary())

    def _rows(self) -> list[tuple[str, str]]:
        """Name and value of each line shown."""
        if self.value is not None:
            rows = [("optimistic sample size", f"{self.value}, by {self.upper_theorem}")]
        else:
            rows = [
                ("at least", f"{self.lower}, by {self.lower_theorem}"),
                ("at most", f"{self.upper}, by {self.upper_theorem}"),
            ]
        rows += [("target", self.target), ("model parameters", f"{self.n_parameters}")]
        if self.published:
            text = f"{self.published.value} = {self.published.formula}, {self.published.theorem}"
            rows.append(("published", text))
            if self.published.note:
                rows.append(("note", self.published.note))
        rows += [("witness", self.witness_note)] if self.witness_note else []
        rows += [("assumes", sentence) for sentence in self.assumes]
        return rows

    def __repr__(self) -> str:
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        return "\n  ".join(["SampleSize", *(f"{name:<{width}}  {text}" for name, text in rows)])

    def _repr_html_(self) -> str:
        return html_table(self._rows())


_PUBLISHED = ("value", "formula", "theorem", "note")
