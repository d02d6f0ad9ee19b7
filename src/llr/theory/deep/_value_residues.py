r"""The numbers tanh(beta) of a network, in a finite field.

Write the arguments beta_k as integer combinations of numbers g_1..g_s that are linearly independent
over Q. Then e^(2 g_1)..e^(2 g_s) are algebraically independent: by Hermite-Lindemann where the
arguments are rational (s = 1), by Schanuel's conjecture where they contain values tanh(beta)
themselves. Hence every value is the rational function (X^n - 1) / (X^n + 1) of independent
variables X_i = e^(2 g_i), and random residues for the X_i give the rank over the reals with a
probability of error of at most the degree of a minor divided by the prime (Schwartz-Zippel); a
specialisation never raises a rank.
"""

from __future__ import annotations

import math
import random
from fractions import Fraction

from llr.theory.deep._constant_values import ONE, Combination, TanhValues

__all__ = ["argument_exponents", "value_residues"]


def argument_exponents(values: TanhValues) -> list[list[int]]:
    """Each argument as integer coefficients in independent numbers g_1..g_s."""
    indices = sorted({i for argument in values.arguments for i, _ in argument.terms} | {ONE})
    place = {index: position for position, index in enumerate(indices)}
    basis: list[tuple[int, list[Fraction]]] = []  # pivot and row, rows reduced against each other
    rows = []
    for argument in values.arguments:
        row = [Fraction(0)] * len(indices)
        for i, c in argument.terms:
            row[place[i]] = c
        rows.append(row)
        rest = _reduced(row, basis)
        pivot = next((position for position, v in enumerate(rest) if v), None)
        if pivot is not None:
            rest = [v / rest[pivot] for v in rest]
            basis = [
                (q, [a - b[pivot] * r for a, r in zip(b, rest, strict=True)]) for q, b in basis
            ]
            basis.append((pivot, rest))
    coordinates = [[row[pivot] for pivot, _ in basis] for row in rows]
    scales = [math.lcm(*(row[s].denominator for row in coordinates)) for s in range(len(basis))]
    return [[int(v * n) for v, n in zip(row, scales, strict=True)] for row in coordinates]


def value_residues(values: TanhValues, prime: int, draw: random.Random) -> list[int]:
    """Each number tanh(beta) modulo a prime, for one random choice of the variables."""
    exponents = argument_exponents(values)
    n_variables = len(exponents[0]) if exponents else 0
    while True:
        variables = [draw.randrange(2, prime - 1) for _ in range(n_variables)]
        residues = []
        for powers in exponents:
            e = math.prod(pow(x, n, prime) for x, n in zip(variables, powers, strict=True)) % prime
            if e == prime - 1:
                break
            residues.append((e - 1) * pow(e + 1, -1, prime) % prime)
        else:
            return residues


def combination_residue(combination: Combination, known: list[int], prime: int) -> int:
    """A combination of 1 and of known residues."""
    return (
        sum(
            c.numerator * pow(c.denominator, -1, prime) * (1 if i == ONE else known[i])
            for i, c in combination.terms
        )
        % prime
    )


def _reduced(row: list[Fraction], basis: list[tuple[int, list[Fraction]]]) -> list[Fraction]:
    """The row with the pivots of the basis eliminated."""
    rest = row
    for pivot, known in basis:
        if rest[pivot]:
            factor = rest[pivot]
            rest = [a - factor * b for a, b in zip(rest, known, strict=True)]
    return rest
