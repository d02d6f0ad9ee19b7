"""What is to be certified: a traced model at parameters, perhaps on given samples."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from llr.certify._number_arrays import UndecidedSignError
from llr.certify._tangent_rows import Signs, ball_rows, float_program, proved_signs
from llr.certify._traced_program import Program, trace
from llr.errors import InvalidInputError, UnsupportedModuleError
from llr.seeds import generator
from llr.tangent import (
    Model,
    ModelFunction,
    Samples,
    as_function,
    as_samples,
    as_the_model_takes,
    input_shape,
    map_samples,
    sample_count,
)

__all__ = ["FIRST_BITS", "Deadline", "OutOfTimeError", "RankProblem", "pose"]

FIRST_BITS, MOST_SIGN_BITS = 128, 1024
AGREEMENT = 1e-6
"""Relative error between a traced program and the model, far above rounding, that refuses it."""


class OutOfTimeError(Exception):
    """The time that was given is over."""


@dataclass
class Deadline:
    """Time that stages take, and when to stop.

    Attributes:
        seconds: allowed in all; None: as many as it takes.
        stages: seconds by stage.
        short: whether a stage was left out for want of time.
    """

    seconds: float | None = None
    stages: dict[str, float] = field(default_factory=dict)
    short: bool = False
    _start: float = field(default_factory=time.perf_counter)
    _last: float = field(default_factory=time.perf_counter)

    def lap(self, stage: str) -> None:
        """Count the time since the last lap for a stage."""
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + now - self._last
        self._last = now

    def restart(self) -> None:
        """All the time again, for another certificate."""
        self._start = self._last = time.perf_counter()
        self.short = False

    @property
    def over(self) -> bool:
        """Whether no time is left, or was for a stage."""
        late = self.seconds is not None and time.perf_counter() - self._start > self.seconds
        return late or self.short

    def check(self, expected: float = 0.0) -> None:
        """Stop here if no time is left for what takes the expected seconds.

        Raises:
            OutOfTimeError: if the time is over, or would be.
        """
        if self.seconds is None:
            return
        if time.perf_counter() - self._start + expected > self.seconds:
            self.short = True
            raise OutOfTimeError


@dataclass(frozen=True)
class RankProblem:
    """A model at parameters, and samples or none.

    Attributes:
        function: the model as a pure function in float64.
        program: its traced forward pass.
        x: the samples whose rank is asked for; None: the model rank.
        seed: of samples, primes and symbols.
        deadline: when to stop.
    """

    function: ModelFunction
    program: Program
    x: Samples | None
    seed: int
    deadline: Deadline

    @property
    def n_params(self) -> int:
        """M, the number of columns."""
        return self.program.n_params

    @property
    def most(self) -> int:
        """The rank is at most this: the parameters, or the rows where x is given."""
        if self.x is None:
            return self.n_params
        return min(self.n_params, sample_count(self.x) * self.program.outputs)

    @cached_property
    def signs(self) -> Signs:
        """The signs of the kinks at x; balls decide what float64 leaves open.

        Raises:
            InvalidInputError: if a sample lies on a kink.
        """
        assert self.x is not None
        try:
            return proved_signs(self.program, self.x)
        except UndecidedSignError as error:
            undecided = error
        bits = FIRST_BITS
        while bits <= MOST_SIGN_BITS:
            try:
                return ball_rows(self.program, self.x, bits).signs
            except UndecidedSignError as error:
                undecided = error
            bits *= 2
        raise InvalidInputError(
            "x must not lie on a kink of the model, where it has no derivative, but sample "
            f"{int(np.flatnonzero(undecided.samples)[0])} does, as far as {MOST_SIGN_BITS} bits "
            "can tell. Drop it, or move it."
        )

    def source(self, *keys: int | str) -> torch.Generator:
        """A stream of random numbers for one purpose."""
        return generator(self.seed, "probe", "certify", *keys)

    def on(self, x: Samples | None) -> RankProblem:
        """The same model on other samples."""
        return replace(self, x=x)


def pose(
    model: Model,
    x: object,
    params: Mapping[str, Tensor] | None,
    *,
    seed: int,
    max_seconds: float | None,
) -> RankProblem:
    """Trace a model and check that the traced program is the model.

    Raises:
        InvalidInputError: if an argument is wrong, or x is needed.
        UnsupportedModuleError: if the model cannot be traced, or its program is another function.
    """
    deadline = Deadline(max_seconds)
    function = as_function(model, params)
    if function.device.type != "cpu":
        function = _on_the_cpu(function)
    samples = None if x is None else as_the_model_takes(function, as_samples(x, function.device))
    if samples is None:
        shape = input_shape(function)
        example: Samples = torch.zeros(1, *shape, dtype=torch.float64)
    else:
        example = map_samples(lambda leaf: leaf[:1], samples)
    program = trace(function, example)
    deadline.lap("trace")
    problem = RankProblem(function, program, samples, seed, deadline)
    _check_agreement(problem, example)
    deadline.lap("check")
    return problem


def _on_the_cpu(function: ModelFunction) -> ModelFunction:
    """Refuse: what is exact runs on the CPU, where float64 is what IEEE says."""
    raise InvalidInputError(
        "certified ranks are computed on the CPU, whose float64 follows IEEE 754, got parameters "
        f"on {function.device}. Move the model: model.cpu()."
    )


def _check_agreement(problem: RankProblem, example: Samples) -> None:
    """Values and derivatives of the program are the model's, at two samples taken together.

    This catches a model that mixes the samples of a batch, or stops gradients where they flow.
    """
    source = problem.source("agreement")

    def near(leaf: Tensor) -> Tensor:
        ends = leaf[[0, -1]]
        if not leaf.is_floating_point():
            return ends
        noise = torch.randn(ends.shape, generator=source, dtype=torch.float64)
        return ends + (noise if problem.x is None else noise / 1024)

    x = map_samples(near, example if problem.x is None else problem.x)
    value, row = float_program(problem.program, x)
    params = {name: p.clone().requires_grad_() for name, p in problem.program.params.items()}
    out = problem.function(params, x)
    weight = torch.linspace(0.5, 1.5, out.numel(), dtype=torch.float64).reshape(out.shape)
    grads = torch.autograd.grad(
        (out * weight).sum(), list(params.values()), allow_unused=True, materialize_grads=True
    )
    flat = torch.cat([grad.reshape(-1) for grad in grads])
    pairs = {"values": (value, out.detach()), "derivatives": (row(weight), flat)}
    for what, (traced, own) in pairs.items():
        scale = float(own.abs().max()) if own.numel() else 0.0
        error = float((traced - own).abs().max()) if own.numel() else 0.0
        if scale and not error <= AGREEMENT * scale:
            raise UnsupportedModuleError(
                f"the traced operations must compute the model's own {what}, but they differ by "
                f"{error:.1e} at {scale:.1e}. Samples of a batch must not be mixed, and the "
                "forward must not stop gradients (torch.no_grad, detach) on what parameters enter."
            )
