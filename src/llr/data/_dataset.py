"""Data sets: inputs and target values, training and test apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from llr._types import Inputs, Outputs
from llr.data._inputs import (
    Distribution,
    all_entries,
    sample_entries,
    sample_inputs,
    sample_normal,
)
from llr.errors import InvalidInputError, check_number
from llr.models import encode_entries
from llr.seeds import generator

__all__ = ["Dataset", "make_dataset"]


@dataclass(frozen=True)
class Dataset:
    """Training and test samples of one target.

    Attributes:
        x_train: training inputs (n, *input_shape).
        y_train: their target values, with label noise where asked for (n, c).
        x_test: test inputs (n_test, *input_shape).
        y_test: their target values, without noise (n_test, c).
    """

    x_train: Inputs = field(repr=False)
    y_train: Outputs = field(repr=False)
    x_test: Inputs = field(repr=False)
    y_test: Outputs = field(repr=False)

    def summary(self) -> dict[str, Any]:
        """Sizes, as one flat row."""
        return {
            "sample_size": len(self.x_train),
            "test_size": len(self.x_test),
            "input_shape": tuple(self.x_train.shape[1:]),
            "output_dim": self.y_train.shape[1],
        }

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value}" for name, value in self.summary().items())
        return f"Dataset({values})"


def make_dataset(
    target: nn.Module,
    *,
    distribution: Distribution | Literal["entries"] = "normal",
    n_train: int,
    n_test: int | None = None,
    input_shape: tuple[int, ...] | None = None,
    noise_std: float = 0.0,
    low: float = -1.0,
    high: float = 1.0,
    entries: Sequence[tuple[int, int]] | None = None,
    seed: int = 0,
) -> Dataset:
    """Training and test samples y = f*(x) of a target.

    Training inputs, test inputs and noise come from separate streams of the seed: changing the
    number of one leaves the others as they were, and a smaller training set is the beginning of a
    larger one (grids, which draw nothing, excepted).

    Args:
        target: f*, evaluated without gradients.
        distribution: of the inputs, as in :func:`sample_inputs`; ``"entries"``: distinct random
            entries of a matrix, the test set being all of them.
        n_train: n, number of training samples.
        n_test: number of test samples, default 1000; entries: none but the size of the matrix.
        input_shape: shape of one input; default: ``target.input_shape``. Entries: (2 d,) for a
            d x d matrix.
        noise_std: standard deviation of normal noise on the training values, >= 0.
        low: lower end of uniform inputs and grids.
        high: upper end.
        entries: (row, column) of the entries to train on, counted from 0, the first n of them
            taken; None: random ones.
        seed: of all streams.

    Returns:
        The data set, float64, on the CPU.

    Raises:
        InvalidInputError: if a size is impossible or an option unknown.

    Example:
        >>> from llr.data import make_target
        >>> few, many = (make_dataset(make_target("paper"), n_train=n, seed=3) for n in (5, 50))
        >>> bool((few.x_train == many.x_train[:5]).all() and (few.y_test == many.y_test).all())
        True
    """
    check_number("noise_std", noise_std, minimum=0.0, below=float("inf"))
    shape = getattr(target, "input_shape", None) if input_shape is None else input_shape
    if shape is None:
        raise InvalidInputError(
            f"input_shape must be given for a {type(target).__name__}, which does not state one."
        )
    train, test = generator(seed, "train"), generator(seed, "test")
    if distribution == "entries":
        x_train, x_test = _entries(shape, n_train, n_test, entries, train)
    else:
        x_train, x_test = (
            sample_inputs(distribution, n, input_shape=shape, generator=stream, low=low, high=high)
            for n, stream in ((n_train, train), (1000 if n_test is None else n_test, test))
        )
    with torch.no_grad():
        y_train, y_test = target(x_train), target(x_test)
    if noise_std > 0:
        stream = generator(seed, "noise")
        y_train = y_train + noise_std * sample_normal(
            n_train, shape=tuple(y_train.shape[1:]), generator=stream
        )
    return Dataset(x_train, y_train, x_test, y_test)


def _entries(
    shape: tuple[int, ...],
    n_train: int,
    n_test: int | None,
    entries: Sequence[tuple[int, int]] | None,
    stream: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Entries of a square matrix to train on, all entries to test on."""
    if len(shape) != 1 or shape[0] % 2:
        raise InvalidInputError(f"entries need inputs of shape (2 d,), got {shape}.")
    d = shape[0] // 2
    if n_test not in (None, d * d):
        raise InvalidInputError(
            f"n_test must be {d * d}, all entries of a {d} x {d} matrix, got {n_test}."
        )
    if entries is None:
        x_train = sample_entries(n_train, n_rows=d, n_columns=d, generator=stream)
    elif n_train > len(entries):
        raise InvalidInputError(
            f"n_train must be at most {len(entries)}, the number of entries given, got {n_train}."
        )
    else:
        rows, columns = torch.tensor(entries[:n_train]).unbind(dim=1)
        x_train = encode_entries(rows, columns, n_rows=d, n_columns=d)
    return x_train, all_entries(d, d)
