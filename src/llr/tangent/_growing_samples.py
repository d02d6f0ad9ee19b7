"""The rank on samples that are doubled in number until it no longer grows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from llr.tangent._gaussian_inputs import Draw
from llr.tangent._measure_rank import find_spectrum, read_rank
from llr.tangent._rank_method import fits
from llr.tangent._rank_options import RankOptions
from llr.tangent._rank_result import RankResult
from llr.tangent._samples import Samples, concatenate, sample_count
from llr.tangent._singular_values import Spectrum
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["GrownRank", "first_count", "rank_on_growing_samples"]

FIRST_ROWS = 64  # of J, to begin with, where the library draws the samples


@dataclass(frozen=True)
class GrownRank:
    """The rank on the last and largest set of samples.

    Attributes:
        operator: J on all samples.
        spectrum: its singular values.
        result: its rank; ``saturated`` where further samples no longer raised it.
        drawn: the samples that were drawn.
    """

    operator: TangentOperator
    spectrum: Spectrum
    result: RankResult
    drawn: Samples


def first_count(n_outputs: int) -> int:
    """Number of samples to begin with."""
    return max(2, math.ceil(FIRST_ROWS / n_outputs))


def rank_on_growing_samples(
    operator: TangentOperator,
    first: Samples,
    draw: Draw,
    options: RankOptions,
    *,
    given: Samples | None = None,
    known_rank: int = -1,
    vectors: bool = False,
) -> GrownRank:
    """Double the number of drawn samples until the rank no longer grows.

    It has stopped growing when it is the number of parameters, or when it is at most half the
    number of rows and the last doubling left it as it was.

    Args:
        operator: J of the model, on any samples.
        first: the samples drawn first.
        draw: draws further samples, given their number.
        options: how to find each rank.
        given: samples that come before those drawn.
        known_rank: of ``given``, which the rank on ``first`` too is compared with.
        vectors: whether singular vectors are wanted.

    Returns:
        The last rank, unsaturated if more samples do not fit the memory.
    """
    previous, drawn = known_rank, first
    while True:
        samples = drawn if given is None else concatenate(given, drawn)
        larger = operator.with_samples(samples)
        found = find_spectrum(larger, options, vectors=vectors or bool(options.param_error))
        grown = GrownRank(larger, found, read_rank(larger, found, options), drawn)
        rank, rows, columns = grown.result.rank, *larger.shape
        if rank == columns or (rank <= previous and 2 * rank <= rows):
            return replace(grown, result=replace(grown.result, saturated=True))
        if rank == rows and not fits(2 * rows, columns, options.budget(larger.device)):
            return grown
        previous = rank
        drawn = concatenate(drawn, draw(sample_count(drawn)))
