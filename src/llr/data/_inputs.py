"""Inputs of regression problems: normal, uniform, a regular grid, entries of a matrix."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

from llr.errors import InvalidInputError, check_choice, check_number, check_positive_int
from llr.models import encode_entries

__all__ = [
    "Distribution",
    "all_entries",
    "grid_side",
    "sample_entries",
    "sample_inputs",
    "sample_normal",
]

Distribution = Literal["normal", "uniform", "grid"]

_BLOCK = 64
"""Rows drawn at a time: PyTorch's normal draws depend on how many are asked for at once."""

Draw = Callable[..., Tensor]


def _draw_rows(draw: Draw, n: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """The first n rows of the generator's stream of rows; they do not depend on n."""
    blocks = [
        draw((_BLOCK, *shape), generator=generator, dtype=torch.float64)
        for _ in range(math.ceil(n / _BLOCK))
    ]
    return torch.cat(blocks)[:n].clone()


def sample_normal(n: int, *, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard normal rows (n, *shape); fewer rows are the first of more rows.

    Example:
        >>> few, many = (
        ...     sample_normal(n, shape=(2,), generator=torch.Generator().manual_seed(0))
        ...     for n in (3, 100)
        ... )
        >>> bool((few == many[:3]).all())
        True
    """
    return _draw_rows(torch.randn, n, shape, generator)


def grid_side(n: int, n_axes: int) -> int | None:
    """Points on each axis of a regular grid of n points in all; None if no grid has n points.

    Example:
        >>> grid_side(9, 2), grid_side(10, 2)
        (3, None)
    """
    side = round(n ** (1 / n_axes))
    return side if side**n_axes == n else None


def _grid(n: int, n_axes: int, low: float, high: float) -> Tensor:
    """A regular grid of n points in [low, high]^n_axes, (n, n_axes); one point is the middle."""
    side = grid_side(n, n_axes)
    if side is None:
        raise InvalidInputError(
            f"a grid over {n_axes} inputs must have k^{n_axes} points, k on each axis, got {n}."
        )
    middle = torch.tensor([(low + high) / 2], dtype=torch.float64)
    axis = torch.linspace(low, high, side, dtype=torch.float64) if side > 1 else middle
    return torch.cartesian_prod(*[axis] * n_axes).reshape(n, n_axes)


def sample_inputs(
    distribution: Distribution,
    n: int,
    *,
    input_shape: tuple[int, ...],
    generator: torch.Generator,
    low: float = -1.0,
    high: float = 1.0,
) -> Tensor:
    """Inputs x_1..x_n of a regression problem.

    Random inputs are independent rows of the generator's stream: asking for fewer gives the first
    of them, so that training sets of one seed are nested.

    Args:
        distribution: ``"normal"``, N(0, I); ``"uniform"`` in [low, high]; ``"grid"``, evenly
            spaced in [low, high] on every axis, both ends included (a single point: the middle).
        n: number of inputs; a grid over D coordinates needs n = k^D.
        input_shape: shape of one input.
        generator: CPU generator; a grid draws nothing.
        low: lower end of the uniform distribution and of the grid.
        high: upper end.

    Returns:
        Shape (n, *input_shape), float64, on the CPU.

    Raises:
        InvalidInputError: if the name is unknown, low >= high, or no grid has n points.

    Example:
        >>> x = sample_inputs("grid", 3, input_shape=(1,), generator=torch.Generator(), high=3.0)
        >>> x.flatten().tolist()
        [-1.0, 1.0, 3.0]
    """
    check_choice("distribution", distribution, get_args(Distribution))
    check_positive_int("n", n)
    if distribution == "normal":
        return sample_normal(n, shape=input_shape, generator=generator)
    check_number("low", low, above=-math.inf, below=high)
    check_number("high", high, below=math.inf)
    if distribution == "uniform":
        return low + (high - low) * _draw_rows(torch.rand, n, input_shape, generator)
    return _grid(n, math.prod(input_shape), low, high).reshape(n, *input_shape)


def all_entries(n_rows: int, n_columns: int) -> Tensor:
    """Every entry of a matrix as an input, row by row: (n_rows * n_columns, n_rows + n_columns).

    Example:
        >>> all_entries(1, 2)
        tensor([[1., 1., 0.],
                [1., 0., 1.]], dtype=torch.float64)
    """
    pairs = torch.tensor(list(itertools.product(range(n_rows), range(n_columns))))
    return encode_entries(pairs[:, 0], pairs[:, 1], n_rows=n_rows, n_columns=n_columns)


def sample_entries(n: int, *, n_rows: int, n_columns: int, generator: torch.Generator) -> Tensor:
    """Distinct entries of a matrix, drawn at random, as inputs of a matrix model.

    Asking for fewer gives the first of them.

    Args:
        n: number of entries, at most n_rows * n_columns.
        n_rows: d1.
        n_columns: d2.
        generator: CPU generator.

    Returns:
        Shape (n, n_rows + n_columns), float64: a one-hot row followed by a one-hot column.

    Raises:
        InvalidInputError: if the matrix has fewer than n entries.

    Example:
        >>> x = sample_entries(4, n_rows=2, n_columns=2, generator=torch.Generator())
        >>> x.sum(dim=0).tolist()
        [2.0, 2.0, 2.0, 2.0]
    """
    check_positive_int("n", n)
    size = n_rows * n_columns
    if n > size:
        raise InvalidInputError(
            f"n must be at most {size}, the number of entries of a {n_rows} x {n_columns} "
            f"matrix, got {n}."
        )
    order = torch.randperm(size, generator=generator)[:n]
    return all_entries(n_rows, n_columns)[order]
