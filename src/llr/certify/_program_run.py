"""Run a program in a number system: values, and the tangent matrix by the tape."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from llr.certify import _tape as tape
from llr.certify._integers import Integers
from llr.certify._number_arrays import Entries, Movement, NumberArray
from llr.certify._tape import Variable
from llr.certify._traced_program import Program, Reference, Step
from llr.errors import UnsupportedModuleError

__all__ = ["RULES", "NumberSystem", "Rule", "Run", "rule", "tangent_matrix", "unsupported"]

Value = Any  # a Variable, a torch tensor (a constant or integers), a list of them, or a number


class NumberSystem(Protocol):
    """Where numbers come from, and how a kink is decided."""

    def constant(self, values: Entries) -> NumberArray:
        """Exact numbers."""
        ...

    def positive(self, z: Any) -> Any:
        """Where z > 0, as a mask for :meth:`NumberArray.masked`."""
        ...


Rule = Callable[..., Value]
"""``rule(run, *args, **kwargs)``, the arguments being those of the operation."""

RULES: dict[str, Rule] = {}
"""The rule of each ATen operation, by its name without overload."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register the rule of one or more operations."""

    def registered(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return registered


def unsupported(name: str, why: str) -> UnsupportedModuleError:
    """The error for an operation, or an option of it, that has no rule."""
    return UnsupportedModuleError(
        f"every operation of the model must have a rule for exact arithmetic, but {name} has none"
        f"{why}. The operations that have one are listed in the documentation, under certified "
        "rank; llr.model_rank measures any model."
    )


class Run:
    """One run of a program.

    Args:
        program: what to run.
        system: the number system.
    """

    def __init__(self, program: Program, system: NumberSystem) -> None:
        self.program, self.system = program, system
        self.step: Step = Step("", lambda: None, (), {}, None)
        self.kinks: list[Variable] = []
        self._moves = 0

    # For rules ------------------------------------------------------------------------------

    def constant(self, values: object) -> Variable:
        """A constant."""
        array = np.asarray(values, dtype=np.float64)
        absent = np.isneginf(array)
        if absent.any():
            array = np.where(absent, 0.0, array)
        if not np.isfinite(array).all():
            raise unsupported(f"aten.{self.step.name}", " for constants that are infinite or NaN")
        value = self.system.constant(array[None])
        return Variable(value, wanted=False, absent=absent if absent.any() else None)

    def lift(self, value: Value) -> Variable:
        """A value as a variable."""
        if isinstance(value, Variable):
            return value
        if isinstance(value, Tensor):
            value = value.detach().cpu().numpy()
        return self.constant(value)

    def reciprocal(self, value: Value) -> Variable:
        """1 / value, a power of two exactly."""
        if isinstance(value, Variable):
            return tape.apply(value, "reciprocal")
        array = np.asarray(value, dtype=np.float64)
        if (np.abs(np.frexp(array)[0]) == 0.5).all():
            return self.constant(1 / array)
        return tape.apply(self.constant(array), "reciprocal")

    def move(self, a: Any, transform: Callable[[Tensor], Any]) -> Any:
        """Data movement: what ``transform`` does to a tensor of positions + 1 (0: a zero).

        The movements of a step are kept, in the order of its calls.
        """
        key, self._moves = self._moves, self._moves + 1
        cached = self.step.cache.get(key)
        if cached is None:
            positions = torch.arange(1, math.prod(a.shape) + 1).reshape(a.shape)
            moved = transform(positions)
            many = isinstance(moved, (tuple, list))
            parts = [
                Movement(part.numpy().reshape(-1) - 1, a.shape, tuple(part.shape))
                for part in (moved if many else [moved])
            ]
            cached = self.step.cache[key] = parts if many else parts[0]
        one = a.moved if isinstance(a, Integers) else functools.partial(tape.move, a)
        return [one(movement) for movement in cached] if isinstance(cached, list) else one(cached)

    def collect(
        self, a: Variable, places: Callable[[], Tensor], shape: tuple[int, ...]
    ) -> Variable:
        """Entries added up at their places + 1 in an array of the given shape (0: dropped)."""
        key, self._moves = self._moves, self._moves + 1
        cached = self.step.cache.get(key)
        if not isinstance(cached, Movement):
            cached = Movement(places().numpy().reshape(-1) - 1, shape, a.shape)
            self.step.cache[key] = cached
        return tape.collect(a, cached)

    def mask(self, z: Variable) -> Any:
        """Where z > 0."""
        self.kinks.append(z)
        return self.system.positive(z.value)

    def gated(self, a: Variable, z: Variable) -> Variable:
        """``a`` where z > 0, else 0."""
        return tape.gate(a, self.mask(z))

    # The run --------------------------------------------------------------------------------

    def __call__(self, params: Sequence[Variable], sample: Sequence[Value]) -> Variable:
        """The output for parameters and the tensors of the samples."""
        program = self.program
        values: list[Value] = [None] * len(program.steps)
        for slot, value in zip(program.slots, [*params, *sample], strict=True):
            values[slot] = value
        for place, tensor in program.constants.items():
            values[place] = tensor
        held = set(program.constants)  # tensors of the model; what follows from them stays exact

        def resolved(value: Any) -> Any:
            if isinstance(value, Reference):
                return values[value.step]
            if isinstance(value, (tuple, list)):
                return type(value)(resolved(part) for part in value)
            return value

        for place, step in enumerate(program.steps):
            if step is None:
                continue
            self.step, self._moves = step, 0
            args, kwargs = resolved(step.args), {k: resolved(v) for k, v in step.kwargs.items()}
            used = {
                ref.step for ref in _flat((step.args, step.kwargs)) if isinstance(ref, Reference)
            }
            if any(isinstance(v, (Variable, Integers)) for v in _flat((args, kwargs))):
                values[place] = self._apply(step, args, kwargs)
            elif used & held and _rounds(step, args):
                lifted = [self.lift(v) if _is_real(v) else v for v in args]
                values[place] = self._apply(step, tuple(lifted), kwargs)
            else:
                values[place] = step.call(*args, **kwargs)
                if used & held:
                    held.add(place)
        out = values[program.output]
        return self.lift(out)

    def _apply(self, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Value:
        """Apply the rule of an operation."""
        found = RULES.get(step.name)
        if found is None:
            raise unsupported(f"aten.{step.name}", "")
        return found(self, *args, **kwargs)


def _flat(value: Any) -> list[Any]:
    """The leaves of nested arguments."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [leaf for part in value for leaf in _flat(part)]
    return [value]


def _is_real(value: Value) -> bool:
    """Whether a value is a tensor of floating-point numbers."""
    return isinstance(value, Tensor) and value.is_floating_point()


EXACT_ON_CONSTANTS = frozenset(
    [
        "view",
        "_unsafe_view",
        "reshape",
        "t",
        "transpose",
        "permute",
        "expand",
        "unsqueeze",
        "squeeze",
        "select",
        "slice",
        "unfold",
        "split",
        "split_with_sizes",
        "unbind",
        "diagonal",
        "clone",
        "detach",
        "alias",
        "cat",
        "stack",
        "neg",
        "abs",
        "relu",
        "repeat",
        "flip",
        "roll",
        "index",
        "embedding",
        "getitem",
        "lift_fresh_copy",
        "_to_copy",
        "where",
        "masked_fill",
        "tril",
        "triu",
        "gather",
    ]
)
"""Operations that PyTorch does without rounding."""


def _rounds(step: Step, args: tuple[Any, ...]) -> bool:
    """Whether an operation on constants of the model must be done in the number system."""
    real = any(_is_real(value) for value in _flat(args))
    return real and step.name in RULES and step.name not in EXACT_ON_CONSTANTS


def tangent_matrix(run: Run, params: Sequence[Variable], output: Variable) -> NumberArray:
    """J at the samples of a run: rows (sample, output), columns the parameters in order."""
    c = math.prod(output.shape)
    n = output.value.shape[0]
    blocks: list[list[NumberArray]] = []
    for position in range(c):
        seed = np.zeros((1, *output.shape))
        seed.reshape(-1)[position] = 1.0
        found = tape.adjoints(output, run.system.constant(seed), params)
        row = []
        for variable, adjoint in zip(params, found, strict=True):
            size = math.prod(variable.shape)
            if adjoint is None:
                adjoint = run.system.constant(np.zeros((1, size)))
            row.append(adjoint.reshape(size))
        blocks.append(row)
    n = max([n, *(block.shape[0] for row in blocks for block in row)])

    def assembled(k: int) -> Entries:
        rows = [
            np.concatenate([np.broadcast_to(b.parts[k], (n, b.shape[1])) for b in row], axis=1)
            for row in blocks
        ]
        return np.stack(rows, axis=1).reshape(n * c, -1)

    return blocks[0][0].with_parts(*(assembled(k) for k in range(len(blocks[0][0].parts))))
