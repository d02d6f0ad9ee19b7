"""Tangent matrices of a traced program in each number system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import llr.certify.rules  # noqa: F401  (registers the rule of every operation)
from llr.certify._balls import Balls, BallSystem, working_precision
from llr.certify._float_balls import FloatBalls, FloatBallSystem, LooseFloatSystem
from llr.certify._integers import Integers
from llr.certify._number_arrays import Entries, NumberArray
from llr.certify._program_run import Run, tangent_matrix
from llr.certify._residues import Field, Residues, ResidueSystem
from llr.certify._tape import Variable, adjoints
from llr.certify._traced_program import Program
from llr.tangent import Samples, concatenate, map_samples, sample_count

__all__ = [
    "MARGIN",
    "Enclosure",
    "Signs",
    "ball_rows",
    "chosen_samples",
    "exact_rows",
    "float_program",
    "float_rows",
    "formal_rows",
    "given_samples",
    "joined",
    "proved_signs",
    "start",
]

MARGIN = 2.0**-80
"""Radius of the inputs where a program has kinks: the signs then hold in a neighbourhood."""

Signs = list[Entries]
"""1, 0 or -1 of the argument of each kink, the sample axis first, in the program's order."""


class Enclosure(NamedTuple):
    """A tangent matrix of enclosures and the signs that were proved on the way."""

    matrix: Any
    signs: Signs


def chosen_samples(x: Samples, chosen: Sequence[int]) -> Samples:
    """Some of the samples."""
    index = torch.as_tensor(list(chosen), dtype=torch.int64)
    return map_samples(lambda leaf: leaf[index.to(leaf.device)], x)


def joined(first: Samples | None, second: Samples) -> Samples:
    """The samples of both."""
    return second if first is None else concatenate(first, second)


def start(
    program: Program, system: Any, sample: Sequence[Any], *, wanted: bool = False
) -> tuple[Run, list[Variable], list[Any], Variable]:
    """Run the forward pass: the run, the parameters, the inputs and the output."""
    run = Run(program, system)
    params = [
        Variable(system.constant(value.numpy()[None]), wanted=True)
        for value in program.params.values()
    ]
    inputs = [
        Integers(value) if isinstance(value, np.ndarray) else Variable(value, wanted=wanted)
        for value in sample
    ]
    with np.errstate(all="ignore"):  # infinities and NaN are dealt with where bounds are compared
        return run, params, inputs, run(params, inputs)


def _matrix(program: Program, system: Any, sample: Sequence[Any]) -> NumberArray:
    """J at samples given in the number system."""
    run, params, _, output = start(program, system, sample)
    with np.errstate(all="ignore"):
        return tangent_matrix(run, params, output)


def given_samples(program: Program, system: Any, x: Samples) -> list[Any]:
    """The samples in a number system; integers stay as they are."""
    arrays = program.sample_arrays(x)
    return [
        system.samples(values) if real else values
        for values, real in zip(arrays, program.real, strict=True)
    ]


def float_rows(program: Program, x: Samples, *, margin: float = MARGIN) -> Enclosure:
    """J in float64 enclosures, shape (n c, M).

    Raises:
        UndecidedSignError: if a sample is too close to a kink for float64.
    """
    system = FloatBallSystem(margin if program.kinks else 0.0)
    matrix = _matrix(program, system, given_samples(program, system, x))
    assert isinstance(matrix, FloatBalls)
    return Enclosure(matrix, system.signs)


def proved_signs(program: Program, x: Samples) -> Signs:
    """The signs at the kinks, proved in float64, without the tangent matrix.

    Raises:
        UndecidedSignError: if a sample is too close to a kink for float64.
    """
    system = FloatBallSystem(MARGIN if program.kinks else 0.0)
    if program.kinks:
        start(program, system, given_samples(program, system, x))
    return system.signs


def float_program(program: Program, x: Samples) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Values (n, c) in plain float64, and the derivative of a weighted sum of them."""
    system = LooseFloatSystem()
    _, params, _, output = start(program, system, given_samples(program, system, x))
    shape = (sample_count(x), program.outputs)
    value = np.broadcast_to(output.value.parts[0].reshape(-1, program.outputs), shape)

    def derivative(weight: Tensor) -> Tensor:
        seed = system.constant(weight.numpy().reshape(-1, *output.shape))
        with np.errstate(all="ignore"):
            found = adjoints(output, seed, params)
        parts = [
            np.zeros(np.prod(variable.shape, dtype=int))
            if adjoint is None
            else adjoint.parts[0].sum(0).reshape(-1)
            for variable, adjoint in zip(params, found, strict=True)
        ]
        return torch.from_numpy(np.concatenate(parts))

    return torch.from_numpy(value.copy()), derivative


def ball_rows(program: Program, x: Samples, bits: int, *, margin: float = MARGIN) -> Enclosure:
    """J in balls of the given precision, shape (n c, M).

    Raises:
        UndecidedSignError: if a sample is too close to a kink for this precision.
    """
    with working_precision(bits):
        system = BallSystem(margin if program.kinks else 0.0)
        matrix = _matrix(program, system, given_samples(program, system, x))
    assert isinstance(matrix, Balls)
    return Enclosure(matrix, system.signs)


def exact_rows(program: Program, x: Samples, field: Field, signs: Signs) -> Residues:
    """J modulo the field's primes, with the proved signs; exact unless a symbol was used."""
    system = ResidueSystem(field, signs)
    matrix = _matrix(program, system, given_samples(program, system, x))
    assert isinstance(matrix, Residues)
    return matrix


def formal_rows(
    program: Program,
    field: Field,
    reference: Samples,
    signs: Signs,
    source: torch.Generator,
    *,
    count: int = 0,
    x: Samples | None = None,
) -> Residues:
    """J with activations as symbols, without the rows of the reference sample.

    Args:
        program: the model.
        field: primes and symbols.
        reference: one sample, whose signs at kinks are known.
        signs: at the reference sample, or at it and at all of ``x``.
        source: of random samples.
        count: how many samples to draw.
        x: the samples, in place of random ones.
    """
    system = ResidueSystem(field, signs)
    if x is not None:
        sample = given_samples(program, system, concatenate(reference, x))
    else:
        sample = []
        for values, shape in zip(
            given_samples(program, system, reference), program.inputs, strict=True
        ):
            drawn = system.random(count, shape, source)
            parts = zip(values.parts, drawn.parts, strict=True)
            sample.append(values.with_parts(*(np.concatenate(pair) for pair in parts)))
    matrix = _matrix(program, system, sample)
    assert isinstance(matrix, Residues)
    return matrix.rows(slice(program.outputs, None))
