"""An upper bound on the rank from activations as symbols, and the chance that it is too low."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from llr.certify import _modular_matrices as mod
from llr.certify._error_chance import chances_of_error
from llr.certify._modular_matrices import Words
from llr.certify._number_arrays import UndecidedSignError
from llr.certify._probe_samples import normal_samples
from llr.certify._rank_problem import RankProblem
from llr.certify._residues import Field, Residues, VanishingError
from llr.certify._tangent_rows import Signs, formal_rows, proved_signs
from llr.errors import UnsupportedModuleError
from llr.tangent import Samples, map_samples, sample_count

__all__ = ["FormalBound", "formal_bound", "guessed_rank", "with_reference"]

FIRST_ROWS = 64
MARGIN_COLUMNS = 8
TRIES = 20
MOST_GUESSED_ROWS = 1024  # from here on, proving full rank is cheaper than finding the rank first


class FormalBound(NamedTuple):
    """An upper bound.

    Attributes:
        rank: the bound.
        chance: that it is too low, at most.
    """

    rank: int
    chance: float


def reference_sample(problem: RankProblem) -> tuple[Samples, Signs]:
    """A sample whose signs at kinks are proved.

    Raises:
        UnsupportedModuleError: if none is found.
    """
    if problem.x is not None and not all(problem.program.real):
        first = map_samples(lambda leaf: leaf[:1], problem.x)
        return first, [signs[:1] for signs in problem.signs]
    source = problem.source("reference")
    for _ in range(TRIES):
        drawn = normal_samples(problem, 1, source)
        try:
            return drawn, proved_signs(problem.program, drawn)
        except UndecidedSignError:
            continue
    raise UnsupportedModuleError(
        "an upper bound needs one input at which the model has no kink, but float64 decided the "
        f"signs at none of {TRIES} random ones."
    )


def with_reference(reference: Signs, signs: Signs, count: int) -> Signs:
    """Signs of the reference sample and of the samples behind it."""
    return [
        np.concatenate(
            [
                np.broadcast_to(first, (1, *first.shape[1:])),
                np.broadcast_to(rest, (count, *rest.shape[1:])),
            ]
        )
        for first, rest in zip(reference, signs, strict=True)
    ]


def _leading_ranks(
    matrix: Words, p: int, most: int, problem: RankProblem, last: int
) -> tuple[int, int]:
    """Ranks of the matrix, and of it without the last rows, if they are at most ``most``.

    Of a wide matrix ``most`` random combinations of the columns are taken.
    """
    if matrix.shape[1] > most:
        source = np.random.default_rng(problem.seed)
        random = source.integers(0, p, (matrix.shape[1], most), dtype=np.uint64)
        matrix = mod.product(matrix, random, p)
    independent = mod.echelon(np.ascontiguousarray(matrix.T), p).columns  # the first such rows
    return len(independent), int((independent < matrix.shape[0] - last).sum())


def guessed_rank(problem: RankProblem) -> int:
    """The formal rank modulo one prime, or the parameters where half of them are reached.

    A guess to aim at; :func:`formal_bound` is the bound.
    """
    if problem.most <= FIRST_ROWS:
        return problem.most
    reference, signs = reference_sample(problem)
    c, rows = problem.program.outputs, FIRST_ROWS
    for attempt in range(64):
        problem.deadline.check()
        field = Field.random(1, problem.source("guess", attempt))
        try:
            drawn = formal_rows(
                problem.program,
                field,
                reference,
                signs,
                problem.source("guess samples", attempt),
                count=math.ceil(rows / c) + 2,
            )
        except VanishingError:
            continue
        most = rows + MARGIN_COLUMNS
        rank, before = _leading_ranks(drawn.parts[0], field.primes[0], most, problem, 2 * c)
        if rank >= problem.most or rank == before:
            return min(rank, problem.most)
        rows *= 2
        if rows >= min(problem.most, MOST_GUESSED_ROWS):
            return problem.most
    return problem.most


def formal_bound(problem: RankProblem, guess: int = 0) -> FormalBound:
    """The rank with activations as symbols, at generic samples or at x.

    Let R(n) be the formal rank of n generic samples. Samples are exchangeable, so that
    R(n + 1) = R(n) implies that no further sample ever raises it. The rank modulo a random prime
    at random symbols is R(n) but for chance, and never above it.
    """
    reference, signs = reference_sample(problem)
    if problem.x is not None:
        return _bound_on_x(problem, reference, signs)
    c = problem.program.outputs
    rows = max(FIRST_ROWS, guess + MARGIN_COLUMNS)
    chances = chances_of_error(problem, problem.n_params // c + 1, problem.n_params)
    for attempt in range(TRIES):
        problem.deadline.check()
        field = Field.random(chances.primes, problem.source("primes", attempt))
        count = math.ceil(min(rows, problem.n_params + MARGIN_COLUMNS) / c) + 2
        try:
            drawn = formal_rows(
                problem.program,
                field,
                reference,
                signs,
                problem.source("formal samples", attempt),
                count=count,
            )
        except VanishingError:
            continue
        rank = _settled_rank(problem, drawn, 2 * c)
        if rank is not None:
            return FormalBound(
                rank, chances.total(chances.primes) if rank < problem.n_params else 0.0
            )
        rows *= 2
    return FormalBound(problem.n_params, 0.0)


def _settled_rank(problem: RankProblem, drawn: Residues, last: int) -> int | None:
    """The rank, if the last rows do not raise it modulo any prime; None if they do."""
    best = 0
    for part, p in zip(drawn.parts, drawn.field.primes, strict=True):
        most = len(part) - last + MARGIN_COLUMNS
        rank, before = _leading_ranks(part, p, most, problem, last)
        if rank >= problem.n_params:
            return problem.n_params
        if rank > before:
            return None
        best = max(best, rank)
    return best


def _bound_on_x(problem: RankProblem, reference: Samples, signs: Signs) -> FormalBound:
    """The formal rank on the samples themselves, with their true signs."""
    assert problem.x is not None
    count = sample_count(problem.x)
    both = with_reference(signs, problem.signs, count)
    chances = chances_of_error(problem, count, problem.most)
    for attempt in range(TRIES):
        field = Field.random(chances.primes, problem.source("primes", attempt))
        try:
            rows = formal_rows(
                problem.program,
                field,
                reference,
                both,
                problem.source("formal samples"),
                x=problem.x,
            )
        except VanishingError:
            continue
        rank = max(
            mod.echelon(part, p).rank for part, p in zip(rows.parts, field.primes, strict=True)
        )
        return FormalBound(rank, chances.total(chances.primes) if rank < problem.most else 0.0)
    return FormalBound(problem.most, 0.0)
