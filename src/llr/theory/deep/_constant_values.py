r"""Values of constant hidden units: rational combinations of 1 and of numbers tanh(beta).

A unit whose input is a constant beta has the constant value tanh(beta). Its argument is rational
in the first layer, and a rational combination of earlier values above it. A value is kept as that
combination, so that two arguments are equal when their combinations are. This is a theorem for
values of the first layer: with beta_k = n_k / N and T = e^(2/N), which is transcendental
(Hermite-Lindemann), tanh(beta_k) = 1 - 2 / (T^(n_k) + 1), and the functions 1, 1 / (T^n + 1),
n = 1, 2, ..., are linearly independent, since the largest n has a pole of its own. For nested
values it rests on Schanuel's conjecture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["ONE", "Combination", "TanhValues", "total"]

ONE = -1
"""Index of the number 1 in a combination; the numbers tanh(beta) count from 0."""


@dataclass(frozen=True)
class Combination:
    """A rational combination of 1 and of numbers tanh(beta).

    Attributes:
        terms: pairs of an index and a nonzero coefficient, ascending by index.
    """

    terms: tuple[tuple[int, Fraction], ...] = ()

    @classmethod
    def of(cls, coefficients: Mapping[int, Fraction]) -> Combination:
        """The combination with these coefficients."""
        return cls(tuple(sorted((i, c) for i, c in coefficients.items() if c)))

    @classmethod
    def rational(cls, value: Fraction) -> Combination:
        """A rational number."""
        return cls.of({ONE: value})

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __neg__(self) -> Combination:
        return Combination(tuple((i, -c) for i, c in self.terms))

    def scaled(self, factor: Fraction) -> Combination:
        """The combination times a rational number."""
        return Combination.of({i: factor * c for i, c in self.terms})

    @property
    def sign(self) -> int:
        """1 if the first coefficient is positive, -1 if negative, 0 for the number 0."""
        return 0 if not self.terms else 1 if self.terms[0][1] > 0 else -1

    @property
    def nested(self) -> bool:
        """Whether a number tanh(beta) takes part."""
        return any(i != ONE for i, _ in self.terms)


def total(parts: Iterable[Combination]) -> Combination:
    """Sum of combinations."""
    coefficients: dict[int, Fraction] = {}
    for part in parts:
        for i, c in part.terms:
            coefficients[i] = coefficients.get(i, Fraction(0)) + c
    return Combination.of(coefficients)


class TanhValues:
    """The numbers tanh(beta) of a network, each known by its argument beta up to sign.

    Example:
        >>> values = TanhValues()
        >>> one = values.tanh(Combination.rational(Fraction(1)))
        >>> values.tanh(Combination.rational(Fraction(-1))) == -one
        True
    """

    def __init__(self) -> None:
        self.arguments: list[Combination] = []
        self._index: dict[Combination, int] = {}

    def tanh(self, argument: Combination) -> Combination:
        """Tanh of a combination."""
        if not argument:
            return Combination()
        oriented = argument if argument.sign > 0 else -argument
        if oriented not in self._index:
            self._index[oriented] = len(self.arguments)
            self.arguments.append(oriented)
        return Combination.of({self._index[oriented]: Fraction(argument.sign)})

    def number(self, combination: Combination) -> float:
        """The combination in floating point, to rounding of its terms."""
        known: list[float] = []
        for argument in self.arguments:
            known.append(math.tanh(_evaluate(argument, known)))
        return _evaluate(combination, known)

    @property
    def nested(self) -> bool:
        """Whether the argument of a value contains another value."""
        return any(argument.nested for argument in self.arguments)


def _evaluate(combination: Combination, known: list[float]) -> float:
    """A combination of 1 and of known numbers."""
    return math.fsum(float(c) * (1.0 if i == ONE else known[i]) for i, c in combination.terms)
