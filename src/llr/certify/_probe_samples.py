"""Samples on which a rank is proved: random ones, and ones on both sides of each kink."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.utils import _pytree as pytree

from llr.certify._float_balls import LooseFloatSystem
from llr.certify._rank_problem import RankProblem
from llr.certify._tangent_rows import start
from llr.certify._tape import Variable, adjoints
from llr.tangent import Samples

__all__ = ["beside_kinks", "normal_samples"]

GRID = 2.0**20
"""Samples are multiples of its inverse: short to write down, and too many to repeat."""
STARTS = 4
STEPS = 8
DISTANCES = (2.0**-12, 2.0**-4)
MOST_UNITS = 512


def _rounded(values: np.ndarray) -> np.ndarray:
    """On the grid."""
    return np.round(values * GRID) / GRID


def normal_samples(problem: RankProblem, count: int, source: torch.Generator, scale: float = 1.0):
    """Normal samples of the model's input shapes."""
    leaves = [
        torch.from_numpy(
            _rounded(torch.randn(count, *shape[1:], generator=source).double().numpy() * scale)
        )
        for shape in problem.program.inputs
    ]
    return _as_samples(problem, leaves)


def _as_samples(problem: RankProblem, leaves: list[torch.Tensor]) -> Samples:
    """Samples in the form of those that were given; without any, a single tensor."""
    if problem.x is None:
        (only,) = leaves
        return only
    return pytree.tree_unflatten(leaves, pytree.tree_structure(problem.x))


def beside_kinks(problem: RankProblem, source: torch.Generator) -> Samples | None:
    """Samples just beside the kink of each unit, on both sides, found by Newton's method.

    A unit whose sign is the same at almost every random sample hides the tangent functions of its
    other side. Along the gradient of its argument the kink is near.
    """
    program = problem.program
    (shape,) = program.inputs
    candidates = _candidates(problem, source)
    system = LooseFloatSystem()
    run, *_ = start(program, system, [system.samples(candidates[:, None])])
    units: list[tuple[int, int, np.ndarray]] = []  # kink, unit, where to start
    for kink, z in enumerate(run.kinks):
        values = np.abs(z.value.parts[0].reshape(len(z.value.parts[0]), -1))
        if len(values) == 1:  # an argument made of parameters alone
            continue
        nearest = np.argpartition(values, STARTS, axis=0)[:STARTS]
        units += [(kink, unit, candidates[nearest[:, unit]]) for unit in range(values.shape[1])]
    if not units:
        return None
    if len(units) > MOST_UNITS:
        chosen = torch.randperm(len(units), generator=source)[:MOST_UNITS].tolist()
        units = [units[i] for i in chosen]
    x = np.concatenate([begin for *_, begin in units])
    owners = np.repeat(np.arange(len(units)), STARTS)
    normal = np.zeros_like(x)
    for step in range(STEPS):
        value, slope = _arguments(problem, x, units, owners)
        size = np.sqrt((slope**2).reshape(len(x), -1).sum(1)).reshape(-1, *[1] * (x.ndim - 1))
        usable = (size > 0) & np.isfinite(size)
        unit_normal = np.where(usable, slope / np.where(usable, size, 1), 0.0)
        normal = np.where(usable, unit_normal, normal)
        if step < STEPS - 1:
            length = np.where(usable, value.reshape(size.shape) / np.where(usable, size, 1), 0.0)
            x = x - np.clip(length, -1e3, 1e3) * unit_normal
    reach = 1 + np.abs(x).reshape(len(x), -1).max(1).reshape(-1, *[1] * (x.ndim - 1))
    sides = [x + sign * d * reach * normal for d in DISTANCES for sign in (1, -1)]
    moved = np.concatenate(sides)
    keep = np.isfinite(moved).reshape(len(moved), -1).all(1)
    moved = np.unique(_rounded(moved[keep]), axis=0)
    return torch.from_numpy(moved.reshape(-1, *shape[1:]))


def _candidates(problem: RankProblem, source: torch.Generator) -> np.ndarray:
    """Where to start: normal samples at several scales."""
    shape = problem.program.inputs[0][1:]
    count = max(64, 4 * STARTS)
    drawn = [
        torch.randn(count, *shape, generator=source, dtype=torch.float64) * scale
        for scale in (1.0, 0.3, 3.0, 10.0)
    ]
    return torch.cat(drawn).numpy()


def _arguments(
    problem: RankProblem,
    x: np.ndarray,
    units: list[tuple[int, int, np.ndarray]],
    owners: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """At each sample the argument of its own unit, and its gradient by the sample."""
    system = LooseFloatSystem()
    run, _, inputs, _ = start(problem.program, system, [system.samples(x[:, None])], wanted=True)
    value, slope = np.zeros(len(x)), np.zeros_like(x)
    kinks = np.array([units[owner][0] for owner in owners])
    places = np.array([units[owner][1] for owner in owners])
    for kink in np.unique(kinks):
        rows = np.flatnonzero(kinks == kink)
        z: Variable = run.kinks[kink]
        size = math.prod(z.shape)
        seed = np.zeros((len(x), size))
        seed[rows, places[rows]] = 1.0
        value[rows] = z.value.parts[0].reshape(len(x), size)[rows, places[rows]]
        with np.errstate(all="ignore"):
            (found,) = adjoints(z, system.constant(seed.reshape(-1, *z.shape)), inputs)
        if found is not None:
            slope[rows] = found.parts[0].reshape(x.shape)[rows]
    return value, slope
