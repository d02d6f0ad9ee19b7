"""The result of condensing a network."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from torch import nn

from llr._show import html_table, to_json
from llr.diagnostics.condensing._unit_fates import CondensedUnit
from llr.diagnostics.condensing._width_curve import EdgeVerdict, WidthCurve
from llr.theory.sizes import SampleSize

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CondensedNetwork", "RankSource"]

RankSource = Literal["exact", "certified", "measured"]


@dataclass(frozen=True, eq=False, repr=False)
class CondensedNetwork:
    """A narrow network with almost the function of a wide one.

    Attributes:
        network: the narrow network, of the model's own class and float64. Where there is no edge,
            the widest that was tried.
        widths: its units in each hidden layer (neurons, or channels of convolutions).
        curve: the error at each width, and the edge.
        error: how far the function moved: the norm of the difference over that of the function,
            its mean left out, on samples that were not fitted.
        rank: model rank of the narrow network; None where there is no edge.
        rank_source: how the rank is known; ``"measured"`` ranks may be too low.
        sample_size: optimistic sample size of the narrow network's function in the wide model;
            None where there is no edge or nothing is known about the model.
        units: what became of each hidden unit of the wide network.
        n_parameters: of the wide network.
        message: what to make of it, and what to try.
    """

    network: nn.Module
    widths: tuple[int, ...]
    curve: WidthCurve
    error: float
    rank: int | None
    rank_source: RankSource | None
    sample_size: SampleSize | None
    units: tuple[CondensedUnit, ...]
    n_parameters: int
    message: str

    @property
    def width(self) -> int | None:
        """The width at the edge, of the widest hidden layer; None where there is no edge."""
        return None if self.verdict == "none" else max(self.widths)

    @property
    def gap(self) -> float:
        """The error one width below the edge over that at the edge."""
        return self.curve.gap

    @property
    def verdict(self) -> EdgeVerdict:
        """Whether one width stands out: ``"clear"``, ``"ambiguous"`` or ``"none"``."""
        return self.curve.verdict

    @property
    def optimistic_sample_size(self) -> int | None:
        """Optimistic sample size of the narrow network's function in the wide model, if known."""
        return None if self.sample_size is None else self.sample_size.value

    def summary(self) -> dict[str, object]:
        """One flat row."""
        fates = Counter(unit.fate for unit in self.units)
        return {
            "width": self.width,
            "widths": " ".join(map(str, self.widths)),
            "verdict": self.verdict,
            "gap": self.gap,
            "error": self.error,
            "rank": self.rank,
            "rank_source": self.rank_source,
            "optimistic_sample_size": self.optimistic_sample_size,
            "n_parameters": self.n_parameters,
            **{f"units_{fate}": fates[fate] for fate in ("merged", "spread", "negligible")},
            "message": self.message,
        }

    def to_json(self) -> str:
        """The row, the curve and the fates as JSON; the network is to be saved as one."""
        units = [vars(unit) for unit in self.units]
        return to_json({**self.summary(), "errors": self.curve.errors, "units": units})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the error against the width.

        Args:
            ax: axes to draw into; None: new ones.

        Returns:
            The axes.
        """
        from matplotlib.figure import Figure

        ax = Figure(layout="constrained").add_subplot() if ax is None else ax
        widths = range(1, len(self.curve.errors) + 1)
        ax.semilogy(widths, self.curve.errors, marker="o", color="tab:blue")
        if self.curve.width is not None:
            ax.axvline(self.curve.width, linestyle="--", color="0.5")
        ax.set_xticks(list(widths))
        ax.set(xlabel="units per hidden layer", ylabel="relative error of the function")
        ax.set_title(f"edge: {self.verdict}" + (f", width {self.width}" if self.width else ""))
        return ax

    def lines(self) -> list[str]:
        """The result in words, one sentence or number per line."""
        errors = ", ".join(f"{error:.1e}" for error in self.curve.errors)
        fates = Counter(unit.fate for unit in self.units)
        counts = ", ".join(
            f"{fates[f]} {f}" for f in ("merged", "spread", "negligible") if fates[f]
        )
        widths = "-".join(map(str, self.widths))
        lines = [
            f"width {widths} (edge: {self.verdict}, gap {self.gap:.1e}); the function moved by "
            f"{self.error:.1e} of its size",
            f"error at width 1, 2, ...: {errors}",
            f"units of the wide network: {counts}",
        ]
        if self.rank is not None:
            lines.append(f"rank of the narrow network: {self.rank} ({self.rank_source})")
        if self.optimistic_sample_size is not None:
            lines.append(f"optimistic sample size of its function: {self.optimistic_sample_size}")
        return [*lines, *([self.message] if self.message else [])]

    def __repr__(self) -> str:
        return "CondensedNetwork: " + "\n  ".join(self.lines())

    def _repr_html_(self) -> str:
        rows = [(k, f"{v:.3g}" if isinstance(v, float) else str(v)) for k, v in self._shown()]
        return html_table(rows)

    def _shown(self) -> list[tuple[str, object]]:
        """The cells that hold something."""
        return [(k, v) for k, v in self.summary().items() if v not in (None, "")]
