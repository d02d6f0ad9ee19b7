"""Subset sums of rational vectors, by meeting in the middle."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from llr.theory.arithmetic import Integers, random_primes

__all__ = ["MOST_VECTORS", "TooManyVectorsError", "subset_with_sum"]

MOST_VECTORS = 40
"""Vectors up to which all subsets are searched: 2^20 sums for each half."""

Vector = Sequence[Fraction]


class TooManyVectorsError(Exception):
    """There are more vectors than ``MOST_VECTORS``."""


def subset_with_sum(vectors: Sequence[Vector], wanted: Vector) -> list[int] | None:
    """Indices of vectors whose sum is ``wanted``, or None if there are none.

    Sums are compared by a random linear function modulo a 61-bit prime; every candidate is then
    added up exactly, so a subset that is returned is right. None is wrong with probability zero:
    equal vectors have equal images.

    Raises:
        TooManyVectorsError: if there are more than ``MOST_VECTORS`` vectors that are not zero, and
            the empty set does not serve.
    """
    if not any(wanted):
        return []
    used = [i for i, vector in enumerate(vectors) if any(vector)]
    if len(used) > MOST_VECTORS:
        raise TooManyVectorsError
    (prime, *_), draw = random_primes(0), random.Random(0)
    factors = [draw.randrange(1, prime) for _ in wanted]

    def image(vector: Vector) -> int:
        terms = zip(factors, vector, strict=True)
        return sum(r * v.numerator * pow(v.denominator, -1, prime) for r, v in terms) % prime

    half = len(used) // 2
    left = _sums([image(vectors[i]) for i in used[:half]], prime)
    right = _sums([image(vectors[i]) for i in used[half:]], prime)
    missing = (image(wanted) - left) % prime
    order = np.argsort(right, kind="stable")
    first = np.searchsorted(right[order], missing, side="left")
    last = np.searchsorted(right[order], missing, side="right")
    for code in np.flatnonzero(last > first).tolist():
        for place in range(first[code], last[code]):
            bits = code | int(order[place]) << half
            chosen = [used[i] for i in range(len(used)) if bits >> i & 1]
            if _adds_up(vectors, chosen, wanted):
                return chosen
    return None


def _sums(residues: list[int], prime: int) -> Integers:
    """Sums modulo p of all subsets; bit i of the place says whether residue i is in."""
    sums = np.zeros(1, dtype=np.int64)
    for residue in residues:
        sums = np.concatenate([sums, (sums + residue) % prime])
    return sums


def _adds_up(vectors: Sequence[Vector], chosen: Sequence[int], wanted: Vector) -> bool:
    """Whether the sum is exact."""
    total = [sum((vectors[i][j] for i in chosen), Fraction(0)) for j in range(len(wanted))]
    return total == list(wanted)
