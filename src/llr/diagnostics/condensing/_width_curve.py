"""The least error at each width, and whether one width stands out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["EdgeVerdict", "WidthCurve", "is_settled", "read_curve"]

EdgeVerdict = Literal["clear", "ambiguous", "none"]

CLEAR_EDGE = 100.0
"""By how much the error must fall from one width to the next for an edge."""

SMALL_ERROR = 1e-2
"""The relative error that must be reached at an edge; errors above it are not small."""

ALONE = 2.0
"""The logarithm of the fall at a clear edge, at least, in units of that of any other fall. Smooth
curves fall by factors of 1 to 100 at every width, now and then by 1000; at the widths of targets
that were recovered the factor was 5000 and more, and 5 or less at all other widths."""

PLATEAU = 2
"""Widths beyond an edge that must bring no other."""

ROUNDING = 1e-13
"""A relative error of this size is zero."""


@dataclass(frozen=True)
class WidthCurve:
    """Relative error of the function for each width, and what is read off it.

    Attributes:
        errors: of the best network found with 1, 2, ... units in each hidden layer (or all of
            them where a layer has fewer): the norm of the difference of the functions over that
            of the function, its mean left out, on samples that were not fitted.
        width: the width at the edge; None where there is none.
        gap: the error one width below over that at the edge, or the largest such ratio where
            there is no edge. The error at width 0, that of a constant, is 1.
        verdict: ``"clear"``: the error falls at one width by 100 or more, to below 0.01, and at
            no other width by more than the square root of that; ``"ambiguous"``: it falls so at
            several widths, or the stated tolerance is reached without such a fall; ``"none"``:
            no edge.
    """

    errors: tuple[float, ...]
    width: int | None
    gap: float
    verdict: EdgeVerdict


def _falls(errors: tuple[float, ...], whole: int) -> list[float]:
    """Each error's predecessor over it.

    At the network's own width the error is zero whatever the function; that is a fall only where
    the error one width below is not small.
    """
    floored = [max(error, ROUNDING) for error in errors]
    falls = [before / after for before, after in zip([1.0, *floored], floored, strict=False)]
    if len(errors) >= whole and len(errors) > 1 and errors[whole - 2] < SMALL_ERROR:
        falls[whole - 1 :] = [1.0] * (len(errors) - whole + 1)
    return falls


def _edge(errors: tuple[float, ...], falls: list[float]) -> tuple[int | None, bool]:
    """The width with the largest fall if that is an edge, and whether it stands alone."""
    largest = max(falls)
    width = falls.index(largest) + 1
    if largest < CLEAR_EDGE or errors[width - 1] > SMALL_ERROR:
        return None, False
    others = [fall for k, fall in enumerate(falls, start=1) if k != width]
    return width, all(fall**ALONE <= largest for fall in others)


def is_settled(errors: tuple[float, ...], tol: float | None, whole: int) -> bool:
    """Whether wider networks need not be tried; ``whole`` is the width of the network itself."""
    if errors[-1] <= ROUNDING:
        return True
    if tol is not None:
        return errors[-1] <= tol
    width, alone = _edge(errors, _falls(errors, whole))
    return width is not None and alone and len(errors) >= width + PLATEAU


def read_curve(errors: tuple[float, ...], tol: float | None, whole: int) -> WidthCurve:
    """Read the width off the errors.

    Args:
        errors: for widths 1, 2, ...
        tol: the relative error that is to be reached; None: look for an edge.
        whole: the width of the network itself.

    Returns:
        The curve.

    Example:
        >>> read_curve((0.2, 0.09, 2e-6, 2e-6, 1e-6), None, 30).width
        3
        >>> read_curve((0.1, 0.1, 0.07, 0.05), None, 30).verdict
        'none'
    """
    falls = _falls(errors, whole)
    width, alone = _edge(errors, falls)
    if tol is not None:
        reached = next((k for k, error in enumerate(errors, start=1) if error <= tol), None)
        alone, width = alone and reached == width, reached
    if width is None:
        return WidthCurve(errors, None, max(falls), "none")
    return WidthCurve(errors, width, falls[width - 1], "clear" if alone else "ambiguous")
