"""``certify_rank``: proved bounds on the rank of any network made of known operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from llr.certify._certified_rank import CertifiedRank, UpperMethod
from llr.certify._formal_bound import formal_bound, guessed_rank
from llr.certify._lower_bound import LowerBound, prove_lower_bound
from llr.certify._rank_problem import OutOfTimeError, RankProblem, pose
from llr.errors import UnsupportedModuleError, check_number, check_positive_int
from llr.tangent import Model, sample_count
from llr.theory import formal_rank

__all__ = ["certify", "certify_rank"]

CLOSED_FORM_CHANCE = 2.0**-60
"""That a closed form's linear algebra modulo two random primes is too low, at most."""

MOST_GUESSED = 1024  # parameters up to which the formal rank is found before a proof is tried


class _Upper(NamedTuple):
    """An upper bound and how it was reached."""

    rank: int
    by: UpperMethod
    chance: float


def certify_rank(
    model: Model,
    x: object = None,
    *,
    params: Mapping[str, Tensor] | None = None,
    rank: int | None = None,
    use_theory: bool = True,
    max_precision: int = 4096,
    max_seconds: float | None = None,
    seed: int = 0,
) -> CertifiedRank:
    r"""Proved bounds on the model rank at a parameter point, or on the rank on samples.

    .. math::
        r(\theta) = \dim \operatorname{span}\{\partial f(\cdot; \theta) / \partial \theta_q :
        q = 1..M\}, \qquad r_X(\theta) = \operatorname{rank} J(X, \theta).

    The lower bound is a theorem about the real-number function that the traced program denotes,
    with parameters at their exact binary values: r rows and columns of J whose determinant is not
    zero, by enclosures in float64, by ball arithmetic of growing precision, or exactly modulo a
    prime. The upper bound is a theorem where it is the number of parameters, of rows, or of
    parameters less verified null vectors; else it states a probability.

    Args:
        model: an ``nn.Module``, or a function ``(params, x) -> y`` of a batch, made of operations
            that have a rule (see the documentation on certified ranks).
        x: n samples along the first axis: a tensor, a dictionary or a tuple of tensors. None: the
            model rank, on samples that are drawn and searched for.
        params: parameters by name, in place of the module's own; needed for a function.
        rank: prove only that the rank is at least this, and spend no time on the upper bound.
        use_theory: whether the closed forms of :func:`llr.formal_rank` may bound the rank.
        max_precision: bits that ball arithmetic may use.
        max_seconds: time after which no further stage begins, nor one that is expected to end
            later; the bounds so far are returned.
        seed: of samples, primes and symbols.

    Returns:
        The bounds, how each was reached, and the proof of the lower one.

    Raises:
        InvalidInputError: if an argument is wrong, a sample lies on a kink, or samples are needed.
        MissingExtraError: if python-flint is not installed.
        UnsupportedModuleError: if an operation of the model has no rule; it is named.

    References:
        Rump, Acta Numerica 19, 2010; Johansson, IEEE Trans. Computers 66, 2017 (Arb); Schwartz,
        J. ACM 27, 1980.

    Example:
        >>> import llr
        >>> model = llr.PaperTeacherMLP(hidden_bias=True)
        >>> result = certify_rank(model)
        >>> result.rank, result.proved, result.lower_by
        (21, True, 'float64')
    """
    check_positive_int("max_precision", max_precision, minimum=64)
    if rank is not None:
        check_positive_int("rank", rank)
    if max_seconds is not None:
        check_number("max_seconds", max_seconds, above=0.0)
    problem = pose(model, x, params, seed=seed, max_seconds=max_seconds)
    return certify(problem, rank=rank, use_theory=use_theory, max_precision=max_precision)


def certify(
    problem: RankProblem,
    *,
    rank: int | None = None,
    use_theory: bool = True,
    max_precision: int = 4096,
) -> CertifiedRank:
    """Bounds for a problem that has been posed."""
    upper = _trivial(problem)
    known = _closed_form(problem) if use_theory else None
    problem.deadline.lap("closed form")
    if known is not None and known.rank < upper.rank:
        upper = known
    if rank is not None:
        lower = prove_lower_bound(problem, min(rank, upper.rank), max_precision)
        return _result(problem, lower, upper)
    lower = LowerBound()
    if known is not None:
        lower = prove_lower_bound(problem, upper.rank, max_precision)
    # A closed form bounds the model rank; the rank on given samples may be smaller.
    if known is None or (problem.x is not None and lower.rank < upper.rank):
        again, upper = _by_symbols(problem, upper, max_precision)
        lower = max(lower, again, key=lambda bound: bound.rank)
    return _result(problem, lower, upper)


def _trivial(problem: RankProblem) -> _Upper:
    """The number of parameters or of rows."""
    if problem.most < problem.n_params:
        return _Upper(problem.most, "rows", 0.0)
    return _Upper(problem.n_params, "parameters", 0.0)


def _closed_form(problem: RankProblem) -> _Upper | None:
    """The formal rank of a family that has one."""
    if problem.function.module is None:
        return None
    try:
        value = formal_rank(problem.function.module, params=problem.program.params)
    except UnsupportedModuleError:
        return None
    return _Upper(value, "closed form", CLOSED_FORM_CHANCE)


def _by_symbols(
    problem: RankProblem, upper: _Upper, max_precision: int
) -> tuple[LowerBound, _Upper]:
    """Both bounds where no closed form is known."""
    lower = LowerBound()
    try:
        guess = guessed_rank(problem) if problem.x is None else problem.most
        problem.deadline.lap("guess")
        # Full rank is likely: try to prove it at once. Kinks make it unlikely, and the proof slow.
        if guess >= upper.rank > MOST_GUESSED and not problem.program.kinks:
            lower = prove_lower_bound(problem, upper.rank, FULL_RANK_PRECISION)
            if lower.rank == upper.rank:
                return lower, upper
        formal = formal_bound(problem, guess)
        problem.deadline.lap("upper bound")
        if formal.rank < upper.rank:
            upper = _Upper(formal.rank, "formal activations", formal.chance)
    except OutOfTimeError:
        return lower, upper
    if lower.rank < upper.rank:
        again = prove_lower_bound(problem, upper.rank, max_precision)
        lower = max(lower, again, key=lambda bound: bound.rank)
    return lower, upper


FULL_RANK_PRECISION = 0  # float64 alone


def _result(problem: RankProblem, lower: LowerBound, upper: _Upper) -> CertifiedRank:
    """The result."""
    c = problem.program.outputs
    rows = [(int(row) // c, int(row) % c) for row in lower.rows]
    return CertifiedRank(
        lower=lower.rank,
        upper=upper.rank,
        lower_by=lower.method,
        upper_by=upper.by,
        upper_chance=upper.chance,
        precision=lower.bits,
        bound=lower.bound,
        rows=rows,
        columns=[int(column) for column in lower.columns],
        samples=lower.x,
        n_rows=None if problem.x is None else sample_count(problem.x) * c,
        n_params=problem.n_params,
        message=_advice(problem, lower, upper),
        seconds=dict(problem.deadline.stages),
        _problem=problem,
        _proof=lower,
    )


def _advice(problem: RankProblem, lower: LowerBound, upper: _Upper) -> str:
    """What to try where the bounds differ."""
    if lower.rank == upper.rank:
        return ""
    if problem.deadline.over:
        return "The time was over: give max_seconds more, or None."
    if problem.program.kinks:
        return (
            "A region between kinks may be too small for the samples to meet, or empty. Pass "
            "samples x of your own, or another seed."
        )
    return "Give max_precision more bits, or the symbols miss an identity of the activations."
