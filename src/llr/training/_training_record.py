"""Rank, spectrum and clusters of hidden units along training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from llr._show import html_table
from llr._types import Parameters
from llr.errors import InvalidInputError, check_choice
from llr.models import layered_network
from llr.tangent import RankResult, model_rank

__all__ = ["Quantity", "TrainingRecord", "check_record", "record_along"]

Quantity = Literal["rank", "clusters", "spectrum"]

_ALIGNED = 0.99
"""Cosine from which two hidden units count as pointing in one direction."""


@dataclass(frozen=True)
class TrainingRecord:
    """What was measured at some steps of a run, the end included.

    Attributes:
        at: steps taken, (h,) int64, increasing.
        ranks: the empirical rank on the training samples at each of them, with its verdict; empty
            unless asked for.
        spectra: singular values of the tangent matrix on the training samples, descending;
            likewise.
        clusters: number of directions, up to sign, in which the input weights and biases of the
            first hidden layer's units point; units belong together where a chain of cosines of at
            least 0.99 connects them. Likewise.
    """

    at: np.ndarray
    ranks: tuple[RankResult, ...] = field(default=(), repr=False)
    spectra: tuple[np.ndarray, ...] = field(default=(), repr=False)
    clusters: tuple[int, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """One row per step: step, rank, its verdict, clusters, spectrum, as far as measured."""
        rows: list[dict[str, Any]] = [{"step": int(step)} for step in self.at]
        for i, row in enumerate(rows):
            if self.ranks:
                row |= {"rank": self.ranks[i].rank, "verdict": self.ranks[i].verdict}
            if self.clusters:
                row["clusters"] = self.clusters[i]
            if self.spectra:
                row["spectrum"] = self.spectra[i].tolist()
        return rows

    def _repr_html_(self) -> str:
        """The table without the spectra, for notebooks."""
        lines = ((row.pop("step"), row) for row in self.rows())
        return html_table(
            (
                f"step {step}",
                ", ".join(f"{name} {value}" for name, value in row.items() if name != "spectrum"),
            )
            for step, row in lines
        )


def check_record(record: Sequence[str], model: nn.Module, x: Tensor) -> None:
    """Whether these quantities can be measured for a model on inputs x.

    Raises:
        InvalidInputError: if a name is unknown, or clusters are asked for where no hidden layer is
            known.
    """
    if isinstance(record, str):
        raise InvalidInputError(
            f"record must be a tuple of names, got {record!r}: write ({record!r},)."
        )
    for name in record:
        check_choice("record", name, get_args(Quantity))
    network = layered_network(model, tuple(x.shape[1:]))
    if "clusters" in record and (network is None or len(network.layers) < 2):
        raise InvalidInputError(
            "clusters count the hidden units of a chain of linear and convolutional layers, and "
            f"{type(model).__name__} is not one with a hidden layer. Leave 'clusters' out of "
            "record."
        )


def record_along(
    model: nn.Module, x: Tensor, snapshots: Mapping[int, Parameters], record: Sequence[str]
) -> TrainingRecord:
    """Measure at each snapshot.

    Args:
        model: the architecture.
        x: training inputs (n, *input_shape).
        snapshots: parameters by step.
        record: what to measure.

    Returns:
        The table.
    """
    steps = sorted(snapshots)
    ranks: list[RankResult] = []
    if "rank" in record or "spectrum" in record:
        ranks = [model_rank(model, x, params=snapshots[step]) for step in steps]
    spectra = [result.singular_values for result in ranks] if "spectrum" in record else []
    counts = (
        [_clusters(model, x, snapshots[step]) for step in steps] if "clusters" in record else []
    )
    return TrainingRecord(
        at=np.array(steps, dtype=np.int64),
        ranks=tuple(ranks) if "rank" in record else (),
        spectra=tuple(np.asarray(values) for values in spectra),
        clusters=tuple(counts),
    )


def _clusters(model: nn.Module, x: Tensor, params: Parameters) -> int:
    """Directions of the first hidden layer's units; see :class:`TrainingRecord`."""
    network = layered_network(model, tuple(x.shape[1:]))
    assert network is not None
    layer = next(layer for layer in network.layers if layer.weight is not None)
    assert layer.weight is not None
    units = layer.channels * (1 if layer.shared else layer.positions)
    vectors = params[layer.weight].reshape(units, -1)
    if layer.bias is not None:
        vectors = torch.cat([vectors, params[layer.bias].reshape(units, 1)], dim=1)
    vectors = vectors[vectors.any(dim=1)].double()
    vectors = vectors / vectors.abs().amax(dim=1, keepdim=True)  # squares of 1e-200 vanish
    vectors = vectors / vectors.norm(dim=1, keepdim=True)
    close = (vectors @ vectors.T).abs() >= _ALIGNED
    label = torch.arange(len(vectors))
    for _ in range(len(vectors)):
        least = torch.where(close, label, len(vectors)).amin(dim=1)
        if torch.equal(least, label):
            break
        label = least
    return len(label.unique())
