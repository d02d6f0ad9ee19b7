"""Arrays over a number system, with one interface for all of them.

Axis 0 is the sample axis, of length n, or 1 where the entries are the same for all samples (a
parameter, a constant). The axes behind it are those of the traced program, which ran on a batch of
one. A number system implements additions, products and elementwise functions; moving entries about
is done here, once, by index.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["Entries", "Movement", "NumberArray", "UndecidedSignError"]

Entries = npt.NDArray[Any]


class UndecidedSignError(ArithmeticError):
    """Signs could not be decided at this precision.

    Args:
        samples: which samples they belong to, shape (n,); of length 1 for all of them.
    """

    def __init__(self, samples: Entries) -> None:
        super().__init__(f"undecided signs at {int(samples.sum())} samples")
        self.samples = samples


class Movement:
    """Entries moved, repeated, dropped or padded with zeros: y[i] = x[index[i]], 0 where -1.

    Args:
        index: flat positions in the source, one for each entry of the result; -1 for a zero.
        source: shape of the source, without the sample axis.
        shape: shape of the result, without the sample axis.
    """

    def __init__(self, index: npt.NDArray[np.int64], source: Sequence[int], shape: Sequence[int]):
        self.index = np.ascontiguousarray(index).reshape(-1)
        self.source, self.shape = tuple(source), tuple(shape)
        self.pads = bool((self.index < 0).any())

    @cached_property
    def groups(self) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """For each multiplicity k: sources used k times (g,), and the places they went to (g, k).

        The adjoint of the movement adds up the places of each source.
        """
        kept = np.flatnonzero(self.index >= 0)
        order = kept[np.argsort(self.index[kept], kind="stable")]
        sources, starts, counts = np.unique(
            self.index[order], return_index=True, return_counts=True
        )
        groups = []
        for count in np.unique(counts):
            chosen = counts == count
            places = order[starts[chosen][:, None] + np.arange(count)]
            groups.append((sources[chosen], places))
        return groups


class NumberArray(ABC):
    """An array over one number system; ``parts`` are NumPy arrays of one shape."""

    def __init__(self, *parts: Entries) -> None:
        self.parts = parts

    # What a number system implements --------------------------------------------------------

    @abstractmethod
    def with_parts(self, *parts: Entries) -> Self:
        """An array of the same system."""

    @abstractmethod
    def zero(self) -> object:
        """The entry 0 of a part."""

    @abstractmethod
    def __add__(self, other: Any) -> Self:
        """Elementwise sum."""

    @abstractmethod
    def __mul__(self, other: Any) -> Self:
        """Elementwise product."""

    @abstractmethod
    def __neg__(self) -> Self:
        """Elementwise negative."""

    @abstractmethod
    def sum_axis(self, axis: int) -> Self:
        """Sum over one axis."""

    @abstractmethod
    def product(self, other: Any) -> Self:
        """Matrix product of the last two axes, by broadcasting of those before them."""

    @abstractmethod
    def apply(self, name: str) -> tuple[Self, Self]:
        """A function of the table, and its derivative, at every entry."""

    @abstractmethod
    def masked(self, mask: Any) -> Self:
        """Entries where the mask is true (or times the mask, where that is not boolean)."""

    # What they share ------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, the sample axis first."""
        return self.parts[0].shape

    def each(self, transform: Callable[[Entries], Entries]) -> Self:
        """The same transformation of every part."""
        return self.with_parts(*(transform(part) for part in self.parts))

    def reshape(self, *shape: int) -> Self:
        """The same entries in another shape, the sample axis as it is."""
        return self.each(lambda part: part.reshape(len(part), *shape))

    def transpose(self) -> Self:
        """The last two axes swapped."""
        return self.each(lambda part: np.swapaxes(part, -1, -2))

    def rows(self, chosen: slice | npt.NDArray[np.int64]) -> Self:
        """Some of the samples."""
        return self.each(lambda part: part[chosen])

    def sum(self, axes: Sequence[int]) -> Self:
        """Sum over axes."""
        out = self
        for axis in sorted({axis % len(self.shape) for axis in axes}, reverse=True):
            out = out.sum_axis(axis)
        return out

    def gather(self, movement: Movement) -> Self:
        """Entries moved."""

        def moved(part: Entries) -> Entries:
            flat = part.reshape(len(part), -1)
            out = flat[:, movement.index]
            if movement.pads:
                out[:, movement.index < 0] = self.zero()
            return out.reshape(len(part), *movement.shape)

        return self.each(moved)

    def scatter(self, movement: Movement) -> Self:
        """The adjoint of :meth:`gather`: entries moved back and added up."""
        size = math.prod(movement.source)
        flat = self.each(lambda part: part.reshape(len(part), -1))
        pieces = []
        for sources, places in movement.groups:
            piece = flat.each(lambda part, places=places: part[:, places])
            pieces.append((sources, piece.sum_axis(2) if places.shape[1] > 1 else piece))

        def assembled(k: int, like: Entries) -> Entries:
            out = np.full((len(like), size), self.zero(), dtype=like.dtype)
            for sources, piece in pieces:
                out[:, sources] = piece.parts[k].reshape(len(like), -1)
            return out.reshape(len(like), *movement.source)

        return self.with_parts(*(assembled(k, part) for k, part in enumerate(flat.parts)))

    def matmul(self, other: Self) -> Self:
        """Matrix product of the last two axes, as one large product where it is one."""
        a, b = self, other
        if a.shape[-1] == 1 and len(a.shape) == len(b.shape):
            return a * b
        if len(a.shape) == len(b.shape) == 3:
            (n, rows, inner), (samples, _, columns) = a.shape, b.shape
            if samples == 1 and n > 1:
                flat = a.each(lambda part: part.reshape(1, n * rows, inner)).product(b)
                return flat.each(lambda part: part.reshape(n, rows, columns))
            if n == 1 and samples > 1:
                return b.transpose().matmul(a.transpose()).transpose()
        return a.product(b)
