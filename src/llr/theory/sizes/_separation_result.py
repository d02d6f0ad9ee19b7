"""The result type of separation sample sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from llr._show import html_table, to_json
from llr._types import Parameters

__all__ = ["SeparationSize", "TargetBranch"]


@dataclass(frozen=True)
class TargetBranch:
    """Parameters of the model that express the target with r distinct units.

    Attributes:
        units: r, the number of distinct units that are not constant: of hidden neurons up to the
            symmetry of the activation, or of kernels where weights are shared.
        constant_units: units with zero input weights.
        dimension: of the branch.
        sample_size: its codimension, the separation sample size of the branch.
        morse_bott: whether the rank at a generic point of its component of largest rank is the
            codimension, so that the loss there is quadratic across the branch; None: not known.
    """

    units: int
    constant_units: int
    dimension: int
    sample_size: int
    morse_bott: bool | None
    _build: Callable[[], Parameters] = field(repr=False, compare=False)

    @cached_property
    def params(self) -> Parameters:
        """Parameters on the branch, generic on its component of largest rank."""
        return self._build()


@dataclass(frozen=True, repr=False, eq=False)
class SeparationSize:
    """Separation sample size of a target in a model: the least codimension of its target set.

    Attributes:
        lower: a lower bound.
        upper: an upper bound; equal to ``lower`` where the size is known.
        theorem: what gives the upper bound.
        status: ``"cited"``, ``"proved"`` (in the documentation) or ``"bound"``.
        target: the target in words.
        n_parameters: M, the model's number of parameters.
        branches: the branches of the target set, by number of distinct units, for two-layer
            networks; otherwise empty.
    """

    lower: int
    upper: int
    theorem: str
    status: str
    target: str
    n_parameters: int
    branches: tuple[TargetBranch, ...] = field(default=(), repr=False)

    @property
    def value(self) -> int | None:
        """The separation sample size, None where only bounds are known."""
        return self.upper if self.lower == self.upper else None

    def summary(self) -> dict[str, int | str | None]:
        """One flat row."""
        return {
            "value": self.value,
            "lower": self.lower,
            "upper": self.upper,
            "theorem": self.theorem,
            "status": self.status,
            "target": self.target,
            "n_parameters": self.n_parameters,
        }

    def to_json(self) -> str:
        """The summary as JSON."""
        return to_json(self.summary())

    def _rows(self) -> list[tuple[str, str]]:
        """Name and value of each line shown."""
        if self.value is not None:
            rows = [("separation sample size", f"{self.value}, by {self.theorem}")]
        else:
            rows = [("at least", f"{self.lower}"), ("at most", f"{self.upper}, by {self.theorem}")]
        rows += [
            ("status", self.status),
            ("target", self.target),
            ("model parameters", f"{self.n_parameters}"),
        ]
        for branch in self.branches[:6]:
            constant = f" and {branch.constant_units} constant" if branch.constant_units else ""
            words = {True: ", Morse-Bott", False: "", None: ""}[branch.morse_bott]
            rows.append(
                (
                    f"{branch.units} distinct{constant}",
                    f"dimension {branch.dimension}, from {branch.sample_size} samples{words}",
                )
            )
        if len(self.branches) > 6:
            rows.append(("...", f"{len(self.branches)} branches in all"))
        return rows

    def __repr__(self) -> str:
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        lines = (f"{name:<{width}}  {text}" for name, text in rows)
        return "\n  ".join(["SeparationSize", *lines])

    def _repr_html_(self) -> str:
        return html_table(self._rows())
