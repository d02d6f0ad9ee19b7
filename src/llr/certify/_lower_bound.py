"""A proved lower bound on the rank: r rows and columns of J whose submatrix is nonsingular.

Exact arithmetic modulo a prime where the model is piecewise polynomial, enclosures in float64
where they suffice, and balls of growing precision where they do not.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.linalg

from llr.certify import _modular_matrices as mod
from llr.certify._balls import Balls, working_precision
from llr.certify._float_balls import FloatBalls
from llr.certify._formal_bound import TRIES, reference_sample, with_reference
from llr.certify._nonsingular import ball_bound, float_bound
from llr.certify._number_arrays import UndecidedSignError
from llr.certify._probe_samples import beside_kinks, normal_samples
from llr.certify._rank_problem import FIRST_BITS, OutOfTimeError, RankProblem
from llr.certify._residues import Field, Residues, VanishingError
from llr.certify._tangent_rows import (
    Signs,
    ball_rows,
    chosen_samples,
    exact_rows,
    float_rows,
    formal_rows,
    joined,
    proved_signs,
)
from llr.errors import InvalidInputError
from llr.tangent import Samples, sample_count

__all__ = ["LowerBound", "LowerMethod", "prove_lower_bound"]

LowerMethod = Literal["exact", "float64", "balls", "none"]
ROUNDS = 6
SCALES = (1.0, 3.0, 0.3, 10.0)
LARGE = 1000  # from this rank on, rows are taken as they come: selecting them costs more
THRESHOLDS = (1e-12, 1e-10, 1e-8, 1e-6)

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LowerBound:
    """A rank that is proved to be reached.

    Attributes:
        rank: the bound.
        method: how it was proved.
        bits: of the arithmetic; for ``"exact"`` of the prime.
        bound: on ||I - C A||, 0 where elimination proved it, exact arithmetic included.
        x: the samples of the proof, None if there are none.
        rows: rows of J on x.
        columns: columns of J.
        prime: of an exact proof.
    """

    rank: int = 0
    method: LowerMethod = "none"
    bits: int = 0
    bound: float = 0.0
    x: Samples | None = None
    rows: Indices = field(default_factory=lambda: np.zeros(0, np.int64))
    columns: Indices = field(default_factory=lambda: np.zeros(0, np.int64))
    prime: int | None = None

    def trimmed(self, outputs: int) -> LowerBound:
        """Without the samples of which no row is used."""
        if self.x is None:
            return self
        used = np.unique(self.rows // outputs)
        place = np.searchsorted(used, self.rows // outputs)
        rows = place * outputs + self.rows % outputs
        x = chosen_samples(self.x, used.tolist())
        return LowerBound(
            self.rank, self.method, self.bits, self.bound, x, rows, self.columns, self.prime
        )


def prove_lower_bound(problem: RankProblem, target: int, max_precision: int) -> LowerBound:
    """Prove that the rank is at least ``target``, or as much of it as can be proved.

    Raises:
        InvalidInputError: if a sample of the caller's lies on a kink.
    """
    best = LowerBound()
    if target <= 0:
        return best
    try:
        for bound in _attempts(problem, target, max_precision):
            best = max(best, bound, key=lambda b: b.rank)
            if best.rank >= target:
                break
    except OutOfTimeError:
        pass
    return best.trimmed(problem.program.outputs)


def _attempts(problem: RankProblem, target: int, max_precision: int):
    """Proofs, the cheapest first."""
    pool = _Pool(problem, target)
    symbolic = True
    if problem.program.kinks or problem.program.outputs > 1 or problem.x is not None:
        symbolic = yield from _exact_rounds(pool, target)
        problem.deadline.lap("exact")
    if symbolic:
        yield from _enclosures(pool, max_precision)


class _Pool:
    """Samples at which all signs are proved, and how many tangent functions they show."""

    def __init__(self, problem: RankProblem, target: int) -> None:
        self.problem, self.target = problem, target
        self.source = problem.source("lower")
        c = problem.program.outputs
        extra = target // 4 + 8
        if c > 1 or problem.program.kinks:  # the rows of one sample may be dependent, or nearly so
            extra = target + 16
        elif target >= LARGE:
            extra = 0
        self.x: Samples | None = None
        self.signs: Signs = []
        if problem.x is not None:
            self.x = problem.x
            self.signs = problem.signs
        else:
            self.add(normal_samples(problem, math.ceil((target + extra) / c), self.source))

    @property
    def rows(self) -> int:
        """Rows of J on the pool."""
        assert self.x is not None
        return sample_count(self.x) * self.problem.program.outputs

    def add(self, x: Samples) -> None:
        """Add samples, without those that lie too close to a kink."""
        for _ in range(TRIES):
            if sample_count(x) == 0:
                return
            try:
                signs = proved_signs(self.problem.program, x)
                break
            except UndecidedSignError as error:
                n = sample_count(x)
                near = np.broadcast_to(error.samples, (n,))
                x = chosen_samples(x, np.flatnonzero(~near).tolist())
        else:
            return
        if self.x is None:
            self.x, self.signs = x, signs
            return
        sizes = sample_count(self.x), sample_count(x)
        self.signs = [
            np.concatenate(
                [np.broadcast_to(s, (n, *s.shape[1:])) for s, n in zip(pair, sizes, strict=True)]
            )
            for pair in zip(self.signs, signs, strict=True)
        ]
        self.x = joined(self.x, x)

    def exact(self, attempt: int) -> Residues:
        """J on the pool modulo one prime, with the proved signs."""
        assert self.x is not None
        for k in range(TRIES):
            field_ = Field.random(1, self.problem.source("exact", attempt, k))
            try:
                return exact_rows(self.problem.program, self.x, field_, self.signs)
            except VanishingError:
                continue
        raise InvalidInputError("the model divides by zero at its parameters.")

    def formal(self) -> Residues:
        """J on the pool with activations as symbols of their arguments and the proved signs."""
        assert self.x is not None
        reference, signs = reference_sample(self.problem)
        both = with_reference(signs, self.signs, sample_count(self.x))
        for k in range(TRIES):
            field_ = Field.random(1, self.problem.source("formal pool", k))
            source = self.problem.source("unused")
            try:
                return formal_rows(self.problem.program, field_, reference, both, source, x=self.x)
            except VanishingError:
                continue
        raise InvalidInputError("the model divides by zero at its parameters.")


def _exact_rounds(pool: _Pool, target: int):
    """Exact ranks on a growing pool; returns whether symbols are needed for the model."""
    problem = pool.problem
    symbolic, previous = True, -1
    clock, n_rows = 0.0, max(pool.rows, 1)  # seconds of the round before, and its rows
    for attempt in range(ROUNDS):
        problem.deadline.check(clock * pool.rows / n_rows)
        started, n_rows = time.perf_counter(), pool.rows
        rows = pool.exact(attempt)
        symbolic = rows.field.used_symbols
        if symbolic:
            rows = pool.formal()
        found = mod.echelon(rows.parts[0], rows.field.primes[0])
        if not symbolic:
            yield LowerBound(
                found.rank,
                "exact",
                mod.BITS,
                0.0,
                pool.x,
                found.rows,
                found.columns,
                rows.field.primes[0],
            )
        pool.target = found.rank
        clock = time.perf_counter() - started
        if found.rank >= target or problem.x is not None:
            break
        if attempt == ROUNDS - 1 or (found.rank == previous and attempt >= 3):
            break
        previous = found.rank
        _grow(pool, attempt)
    return symbolic


def _grow(pool: _Pool, attempt: int) -> None:
    """More samples: beside kinks, and normal ones at other scales."""
    problem = pool.problem
    if problem.program.kinks and attempt % 2 == 0:
        near = beside_kinks(problem, pool.source)
        if near is not None:
            pool.add(near)
            return
    assert pool.x is not None
    scale = SCALES[attempt % len(SCALES)]
    pool.add(normal_samples(problem, sample_count(pool.x), pool.source, scale))


def _enclosures(pool: _Pool, max_precision: int):
    """Proofs by float64 enclosures, then by balls, then of a smaller rank in float64."""
    problem, target = pool.problem, pool.target
    assert pool.x is not None
    problem.deadline.check()
    matrix: FloatBalls | None = None
    try:
        matrix = float_rows(problem.program, pool.x).matrix
    except UndecidedSignError:
        matrix = None
    problem.deadline.lap("tangent matrix")
    if matrix is not None:
        yield _float_proof(pool, matrix, target)
        problem.deadline.lap("float64 proof")
    yield from _ball_proofs(pool, target, max_precision)
    problem.deadline.lap("ball proof")
    if matrix is not None:
        for rank in _numerical_ranks(matrix, target):
            problem.deadline.check()
            yield _float_proof(pool, matrix, rank)


def _float_proof(pool: _Pool, matrix: FloatBalls, rank: int) -> LowerBound:
    """Rows and columns by pivoted QR, and the bound of float64 enclosures."""
    middle = matrix.parts[0]
    if rank == 0 or min(middle.shape) < rank or not np.isfinite(middle).all():
        return LowerBound()
    rows = _pivots(middle.T, rank)
    columns = _pivots(middle[rows], rank)
    square = FloatBalls(*(part[np.ix_(rows, columns)] for part in matrix.parts))
    bound = float_bound(square)
    if not bound < 1:
        return LowerBound()
    return LowerBound(rank, "float64", 53, bound, pool.x, rows, columns)


def _pivots(matrix: npt.NDArray[np.float64], rank: int) -> Indices:
    """Columns of a matrix that are well apart, all of them where there are no more."""
    if matrix.shape[1] == rank:
        return np.arange(rank)
    decomposed: Any = scipy.linalg.qr(matrix, mode="r", pivoting=True, check_finite=False)
    order = np.asarray(decomposed[1], dtype=np.int64)
    return np.sort(order[:rank])


def _numerical_ranks(matrix: FloatBalls, target: int) -> list[int]:
    """Ranks below the target that float64 may be able to prove, descending."""
    middle = matrix.parts[0]
    if not np.isfinite(middle).all() or min(middle.shape) > LARGE:
        return []
    values = np.linalg.svd(middle, compute_uv=False)
    ranks = {int((values > t * values[0]).sum()) for t in THRESHOLDS} if values[0] > 0 else set()
    return sorted((rank for rank in ranks if 0 < rank < target), reverse=True)


def _ball_proofs(pool: _Pool, target: int, max_precision: int):
    """Balls of doubling precision on the pivots of the formal matrix."""
    problem = pool.problem
    if max_precision < FIRST_BITS:
        return
    assert pool.x is not None
    problem.deadline.check()
    formal = pool.formal()
    found = mod.echelon(formal.parts[0], formal.field.primes[0])
    rank = min(found.rank, target)
    if rank == 0:
        return
    if rank < found.rank:
        found = mod.echelon(
            formal.parts[0][:, found.columns[:rank]], formal.field.primes[0]
        )._replace(columns=found.columns[:rank])
    c = problem.program.outputs
    used = np.unique(found.rows // c)
    place = np.searchsorted(used, found.rows // c) * c + found.rows % c
    x = chosen_samples(pool.x, used.tolist())
    bits = FIRST_BITS
    while bits <= max_precision:
        problem.deadline.check()
        try:
            matrix: Any = ball_rows(problem.program, x, bits).matrix
        except UndecidedSignError:
            bits *= 2
            continue
        with working_precision(bits):
            bound = ball_bound(Balls(matrix.parts[0][np.ix_(place, found.columns)]))
        if bound < 1:
            yield LowerBound(rank, "balls", bits, bound, x, place, found.columns)
            return
        bits *= 2
