"""The chance that a formal upper bound is too low."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from llr.certify._degrees import Degrees, DegreeSystem, Size
from llr.certify._modular_matrices import PRIMES_OF_31_BITS
from llr.certify._rank_problem import RankProblem
from llr.certify._tangent_rows import given_samples, start
from llr.certify._tape import adjoints

__all__ = ["Chances", "chances_of_error"]

WANTED = 1e-9
FEWEST, MOST = 3, 6
SMALLEST_PRIME = 2.0**30


class Chances(NamedTuple):
    """What can go wrong, bounded from above.

    Attributes:
        rank: that the rank modulo one prime is too low.
        pairs: pairs of arguments of symbols.
        alike: that two different arguments agree modulo one prime.
    """

    rank: float
    pairs: float
    alike: float

    def total(self, primes: int) -> float:
        """With that many independent primes: all ranks are too low, or two symbols are merged."""
        return min(1.0, self.rank**primes + self.pairs * self.alike**primes)

    @property
    def primes(self) -> int:
        """How many primes to take."""
        enough = [k for k in range(FEWEST, MOST + 1) if self.total(k) <= WANTED]
        return enough[0] if enough else FEWEST


def chances_of_error(problem: RankProblem, count: int, rank: int) -> Chances:
    """Chances that spoil one prime, and that two arguments are taken for one, at most.

    Modulo one prime the rank comes out too low if a maximal minor, a nonzero polynomial, vanishes
    at the random values, if the prime divides all its coefficients, or if the random columns that
    J is multiplied by lose rank; twice, for the samples and for the two more that test them.
    """
    program = problem.program
    system = DegreeSystem()
    if problem.x is None:
        sample: list[Any] = [system.random(shape) for shape in program.inputs]
    else:
        sample = given_samples(program, system, problem.x)
    _, params, _, output = start(program, system, sample)
    entry = Size(0.0, 0.0, 0.0)
    for position in range(program.outputs):
        seed = np.zeros((1, *output.shape))
        seed.reshape(-1)[position] = 1.0
        for found in adjoints(output, system.constant(seed), params):
            if isinstance(found, Degrees):
                entry = Size(*map(max, zip(entry, found.size, strict=True)))
    counts = system.counts
    degree = max(entry.degree, 1.0) * counts.clearing
    bits = max(entry.bits, 0.0) + entry.places + degree * counts.denominator_bits
    bits = rank * (bits + math.log2(max(rank, 2)))
    one_prime = rank * (degree + 1) / SMALLEST_PRIME + bits / 30 / PRIMES_OF_31_BITS
    argument = max(counts.argument.degree, 1.0) * counts.clearing
    argument_bits = max(counts.argument.bits, 0.0) + counts.argument.places
    argument_bits += argument * counts.denominator_bits + 1
    alike = 2 * argument / SMALLEST_PRIME + argument_bits / 15 / PRIMES_OF_31_BITS
    pairs = (counts.arguments * (count + 1)) ** 2 / 2
    return Chances(min(1.0, 2 * one_prime), pairs, min(1.0, alike))
