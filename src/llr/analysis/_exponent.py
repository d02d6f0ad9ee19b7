"""Power laws: the slope on logarithmic axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from llr._show import to_json
from llr.errors import InvalidInputError, check_number

__all__ = ["Exponent", "exponent"]


@dataclass(frozen=True)
class Exponent:
    """The exponent of a power law y = c x^value, with an interval.

    Attributes:
        value: least-squares slope of log y against log x.
        low: lower end of Student's interval; -inf where two points leave no freedom.
        high: upper end.
        prefactor: c.
        n_points: number of points.
        confidence: of the interval.
    """

    value: float
    low: float
    high: float
    prefactor: float
    n_points: int
    confidence: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"

    def summary(self) -> dict[str, Any]:
        """One flat row."""
        return asdict(self)

    def to_json(self) -> str:
        """The flat row as JSON; an infinite end becomes null."""
        return to_json(self.summary())


def exponent(
    x: Sequence[float] | np.ndarray,
    y: Sequence[float] | np.ndarray,
    *,
    confidence: float = 0.95,
) -> Exponent:
    r"""The exponent of a power law, by least squares on logarithmic axes.

    Fits :math:`\log y_i = \log c + a \log x_i + e_i`; the interval of :math:`a` is Student's with
    n - 2 degrees of freedom, exact where the :math:`e_i` are independent normal of equal variance.

    Args:
        x: positive, at least two different values, (n,).
        y: positive, (n,).
        confidence: in (0, 1).

    Returns:
        The exponent and its interval.

    Raises:
        InvalidInputError: if lengths differ, a value is not positive and finite, or x is constant.

    Example:
        >>> round(exponent([1e-3, 1e-2, 1e-1], [3e-6, 3e-4, 3e-2]).value, 6)
        2.0
    """
    check_number("confidence", confidence, above=0.0, below=1.0)
    points = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if points[0].ndim != 1 or points[0].shape != points[1].shape:
        raise InvalidInputError(
            f"x and y must be vectors of equal length, got shapes {points[0].shape} and "
            f"{points[1].shape}."
        )
    for name, values in zip("xy", points, strict=True):
        wrong = ~(np.isfinite(values) & (values > 0))
        if wrong.any():
            raise InvalidInputError(
                f"{name} must be positive and finite to have a logarithm, got {values[wrong][0]!r} "
                f"({int(wrong.sum())} such value(s)). Leave those points out."
            )
    u, v = np.log(points[0]), np.log(points[1])
    if np.unique(u).size < 2:
        raise InvalidInputError(f"x must hold at least two different values, got {x!r}.")
    n = u.size
    spread = ((u - u.mean()) ** 2).sum()
    slope = ((u - u.mean()) * (v - v.mean())).sum() / spread
    intercept = v.mean() - slope * u.mean()
    half = np.inf
    if n > 2:
        residual = v - intercept - slope * u
        standard_error = np.sqrt((residual**2).sum() / (n - 2) / spread)
        half = stdtrit(n - 2, (1 + confidence) / 2) * standard_error
    return Exponent(
        value=float(slope),
        low=float(slope - half),
        high=float(slope + half),
        prefactor=float(np.exp(intercept)),
        n_points=n,
        confidence=confidence,
    )
