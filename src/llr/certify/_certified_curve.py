"""Proved bounds on the ranks of the first n samples, for every n at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from llr._show import html_lines, to_json
from llr.certify import _modular_matrices as mod
from llr.certify._balls import Balls, working_precision
from llr.certify._error_chance import chances_of_error
from llr.certify._float_balls import FloatBalls
from llr.certify._formal_bound import TRIES, reference_sample, with_reference
from llr.certify._nonsingular import ball_bound, float_bound
from llr.certify._number_arrays import UndecidedSignError
from llr.certify._rank_problem import FIRST_BITS, RankProblem, pose
from llr.certify._residues import Field, Residues, VanishingError
from llr.certify._tangent_rows import ball_rows, exact_rows, float_rows, formal_rows
from llr.errors import InvalidInputError, check_positive_int
from llr.tangent import Model, sample_count

__all__ = ["CertifiedCurve", "certify_curve"]


@dataclass(frozen=True)
class CertifiedCurve:
    """Bounds on the rank of the first n samples, n = 1..N.

    Attributes:
        lower: proved lower bounds.
        upper: upper bounds, all of them right but for ``upper_chance``.
        upper_chance: an upper bound on the probability that any of them is too low; 0 where they
            are theorems.
        lower_by: how the lower bounds were proved.
        n_outputs: c.
        n_params: M.
    """

    lower: tuple[int, ...]
    upper: tuple[int, ...]
    upper_chance: float
    lower_by: str
    n_outputs: int
    n_params: int

    @property
    def proved(self) -> bool:
        """Whether the bounds agree for every n."""
        return self.lower == self.upper

    @property
    def saturates_at(self) -> int | None:
        """The least n that has the rank of all N samples; None where that is not proved."""
        if self.lower[-1] != self.upper[-1]:
            return None
        reached = next(n for n, rank in enumerate(self.lower, 1) if rank == self.lower[-1])
        below = reached == 1 or self.upper[reached - 2] < self.lower[-1]
        return reached if below else None

    def summary(self) -> dict[str, object]:
        """One flat row."""
        return {
            "n_samples": len(self.lower),
            "lower": self.lower[-1],
            "upper": self.upper[-1],
            "proved": self.proved,
            "saturates_at": self.saturates_at,
            "upper_chance": self.upper_chance,
            "lower_by": self.lower_by,
            "n_outputs": self.n_outputs,
            "n_params": self.n_params,
        }

    def to_json(self) -> str:
        """The summary and all bounds as JSON."""
        bounds = {"lower_by_n": list(self.lower), "upper_by_n": list(self.upper)}
        return to_json({**self.summary(), **bounds})

    def _lines(self) -> list[str]:
        last = (
            f"{self.lower[-1]}"
            if self.lower[-1] == self.upper[-1]
            else (f"between {self.lower[-1]} and {self.upper[-1]}")
        )
        seal = ", proved for every n ✓" if self.proved else ""
        where = "" if self.saturates_at is None else f", from n = {self.saturates_at}"
        chance = (
            "theorems"
            if self.upper_chance == 0
            else f"wrong with a probability of at most {self.upper_chance:.0e}"
        )
        return [
            f"rank {last} on {len(self.lower)} samples{where}{seal}",
            f"lower bounds: theorems, by {self.lower_by}",
            f"upper bounds: {chance}",
        ]

    def __repr__(self) -> str:
        return "CertifiedCurve: " + "\n  ".join(self._lines())

    def _repr_html_(self) -> str:
        return html_lines(self._lines())


def certify_curve(
    model: Model,
    x: object,
    *,
    params: Mapping[str, Tensor] | None = None,
    max_precision: int = 4096,
    seed: int = 0,
) -> CertifiedCurve:
    r"""Proved bounds on the rank of the first n samples, for n = 1..N.

    .. math::
        r_n(\theta) = \operatorname{rank} J(x_1, \dots, x_n; \theta), \quad n = 1..N.

    Let S be the rows of J that are no combination of those before them. One proof that the rows S
    are independent serves every n: those of S among the first n samples are independent too. The
    upper bounds are leading ranks of one matrix with activations as symbols.

    Args:
        model: as for :func:`llr.certify_rank`.
        x: N samples along the first axis.
        params: parameters by name, in place of the module's own; needed for a function.
        max_precision: bits that ball arithmetic may use.
        seed: of primes and symbols.

    Returns:
        The bounds.

    Raises:
        InvalidInputError: if an argument is wrong, or a sample lies on a kink.
        MissingExtraError: if python-flint is not installed.
        UnsupportedModuleError: if an operation of the model has no rule.

    References:
        Zhang et al., JMLR 26(69), 2025, Definition 5 and Corollary 4.

    Example:
        >>> import torch, llr
        >>> x = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
        >>> curve = certify_curve(llr.PaperTeacherMLP(), x)
        >>> curve.proved, curve.saturates_at, curve.lower[16:]
        (True, 18, (17, 18, 18, 18))
    """
    check_positive_int("max_precision", max_precision, minimum=64)
    problem = pose(model, x, params, seed=seed, max_seconds=None)
    assert problem.x is not None
    n, c = sample_count(problem.x), problem.program.outputs
    exact = _exact(problem)
    symbolic = exact.field.used_symbols
    rows, chance = (_formal(problem), _chance(problem)) if symbolic else (exact, _chance(problem))
    leading = [
        mod.echelon(np.ascontiguousarray(part.T), p).columns
        for part, p in zip(rows.parts, rows.field.primes, strict=True)
    ]
    upper = np.max([_counts(found, n, c) for found in leading], axis=0)
    upper = np.minimum(upper, problem.n_params)
    best = max(leading, key=len)
    place = leading.index(best) if symbolic else int(np.argmax([len(found) for found in leading]))
    if symbolic:
        columns = mod.echelon(
            np.ascontiguousarray(rows.parts[place][best]), rows.field.primes[place]
        ).columns
        how = _proof(problem, best, columns, max_precision)
        lower = _counts(best, n, c) if how else np.zeros(n, dtype=np.int64)
    else:
        how, lower = "exact arithmetic modulo a prime", upper
    trivial = bool((upper == np.minimum(np.arange(1, n + 1) * c, problem.n_params)).all())
    return CertifiedCurve(
        tuple(map(int, lower)),
        tuple(map(int, upper)),
        0.0 if trivial else min(1.0, n * chance),
        how or "no proof",
        c,
        problem.n_params,
    )


def _counts(rows: Any, n: int, c: int) -> Any:
    """How many of the rows belong to the first 1, 2, ..., n samples."""
    return np.searchsorted(np.sort(rows), np.arange(1, n + 1) * c)


def _chance(problem: RankProblem) -> float:
    assert problem.x is not None
    chances = chances_of_error(problem, sample_count(problem.x), problem.most)
    return chances.total(chances.primes)


def _exact(problem: RankProblem) -> Residues:
    """J modulo primes; exact unless a symbol was used."""
    assert problem.x is not None
    for attempt in range(TRIES):
        field = Field.random(3, problem.source("curve", attempt))
        try:
            return exact_rows(problem.program, problem.x, field, problem.signs)
        except VanishingError:
            continue
    raise InvalidInputError("the model divides by zero at its parameters.")


def _formal(problem: RankProblem) -> Residues:
    """J with activations as symbols."""
    assert problem.x is not None
    reference, signs = reference_sample(problem)
    both = with_reference(signs, problem.signs, sample_count(problem.x))
    chances = chances_of_error(problem, sample_count(problem.x), problem.most)
    for attempt in range(TRIES):
        field = Field.random(chances.primes, problem.source("formal curve", attempt))
        source = problem.source("unused")
        try:
            return formal_rows(problem.program, field, reference, both, source, x=problem.x)
        except VanishingError:
            continue
    raise InvalidInputError("the model divides by zero at its parameters.")


def _proof(problem: RankProblem, rows: Any, columns: Any, max_precision: int) -> str:
    """Prove that these rows and columns form a nonsingular matrix; how, empty if not."""
    assert problem.x is not None
    square = np.ix_(rows, columns)
    try:
        matrix: FloatBalls = float_rows(problem.program, problem.x).matrix
        if float_bound(FloatBalls(*(part[square] for part in matrix.parts))) < 1:
            return "float64 enclosures"
    except UndecidedSignError:
        pass
    bits = FIRST_BITS
    while bits <= max_precision:
        try:
            balls: Any = ball_rows(problem.program, problem.x, bits).matrix
        except UndecidedSignError:
            bits *= 2
            continue
        with working_precision(bits):
            if ball_bound(Balls(balls.parts[0][square])) < 1:
                return f"ball arithmetic at {bits} bits"
        bits *= 2
    return ""
