"""The rank of one tangent matrix: singular values, then tolerance, gap and verdict."""

from __future__ import annotations

import torch

from llr.models import two_layer_structure
from llr.seeds import generator
from llr.tangent._parameter_noise import noise_below
from llr.tangent._precision import DOUBLE
from llr.tangent._rank_method import choose_method
from llr.tangent._rank_options import RankOptions
from llr.tangent._rank_result import RankResult
from llr.tangent._rank_verdict import decide
from llr.tangent._singular_values import Spectrum
from llr.tangent._spectrum import spectrum
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["find_spectrum", "measure_rank", "read_rank"]


def find_spectrum(operator: TangentOperator, options: RankOptions, *, vectors: bool) -> Spectrum:
    """Singular values of J by the method that fits, with singular vectors where asked for."""
    budget = options.budget(operator.device)
    return spectrum(
        operator,
        choose_method(options.method, *operator.shape, budget),
        budget=budget,
        generator=generator(options.seed, "probe", "spectrum"),
        vectors=vectors,
    )


def read_rank(operator: TangentOperator, found: Spectrum, options: RankOptions) -> RankResult:
    """The rank of J from its singular values; ``saturated`` only where every column counts."""
    noise = None if options.param_error is None else torch.zeros_like(found.values)
    if options.param_error:
        source = generator(options.seed, "noise", "parameters")
        noise = noise_below(operator, found, options.param_error, generator=source)
    module = operator.function.module
    precision = operator.linearization.precision
    decision = decide(
        found.values,
        operator.shape,
        atol=options.atol,
        rtol=options.rtol,
        gap=options.gap,
        noise=noise,
        two_layer=module is not None and two_layer_structure(module) is not None,
        eps=precision.eps,
    )
    coarse = precision != DOUBLE and decision.textbook_rank > 0
    return RankResult(
        rank=decision.rank,
        singular_values=found.values.cpu(),
        tolerance=decision.tolerance,
        gap=decision.gap,
        n_rows=operator.shape[0],
        n_params=operator.shape[1],
        saturated=decision.rank == operator.shape[1],
        verdict="ambiguous" if coarse else decision.verdict,
        method=found.method,
        textbook_rank=decision.textbook_rank,
        message=f"{decision.message} {precision.note}".strip() if coarse else decision.message,
        param_error=options.param_error,
    )


def measure_rank(operator: TangentOperator, options: RankOptions) -> RankResult:
    """The rank of one tangent matrix."""
    vectors = bool(options.param_error)
    return read_rank(operator, find_spectrum(operator, options, vectors=vectors), options)
