"""Condensation: how many directions the hidden neurons of a two-layer network share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.spatial.distance import squareform

from llr._show import to_json
from llr.errors import InvalidInputError, check_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import nn

__all__ = ["Condensation", "condensation"]


@dataclass(frozen=True)
class Condensation:
    """Directions of the hidden neurons, ordered by cluster.

    Attributes:
        similarity: |cosine| between the neurons' (w, b), (q, q) float64, rows and columns in the
            order of ``neurons``.
        neurons: indices of the neurons that count, largest cluster first, (q,) int64.
        labels: cluster of each of them, 0, 1, ..., (q,) int64.
        threshold: any two neurons of one cluster have a similarity of at least this.
        n_left_out: neurons without a direction (zero) or too small to count.
    """

    similarity: np.ndarray = field(repr=False)
    neurons: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    threshold: float
    n_left_out: int

    @property
    def n_clusters(self) -> int:
        """The number of clusters."""
        return int(self.labels.max(initial=-1)) + 1

    @property
    def sizes(self) -> np.ndarray:
        """Number of neurons of each cluster, largest first."""
        return np.bincount(self.labels, minlength=self.n_clusters)

    def summary(self) -> dict[str, Any]:
        """One flat row."""
        return {
            "n_clusters": self.n_clusters,
            "n_neurons": len(self.neurons),
            "n_left_out": self.n_left_out,
            "threshold": self.threshold,
            "largest_cluster": int(self.sizes.max(initial=0)),
        }

    def to_json(self) -> str:
        """The flat row as JSON."""
        return to_json(self.summary())

    def _repr_html_(self) -> str:
        """A sentence, for notebooks."""
        return (
            f"{len(self.neurons)} neurons in {self.n_clusters} clusters "
            f"(|cosine| &ge; {self.threshold:g} within a cluster, {self.n_left_out} left out)"
        )


def condensation(
    weights: ArrayLike | nn.Module,
    bias: ArrayLike | None = None,
    output: ArrayLike | None = None,
    *,
    threshold: float = 0.95,
    negligible: float = 0.0,
) -> Condensation:
    r"""The clusters of directions of the hidden neurons of a two-layer network.

    With :math:`v_i = (w_i, b_i)` the similarity of two neurons is
    :math:`|v_i \cdot v_j| / (|v_i| |v_j|)`; the sign is left out since tanh is odd. Clusters are
    those of complete linkage cut at the threshold: any two neurons of one cluster are at least
    that similar. Neurons with :math:`v_i = 0` have no direction and are left out, and so are those
    whose size is at most ``negligible`` times the largest; the size is :math:`|v_i|`, times the
    norm of the neuron's output weights where they are given.

    Args:
        weights: input weights (m, d), or a two-layer tanh network, whose kernels are compared
            (those of a convolution without sharing: of all positions) and whose output weights
            are used.
        bias: hidden biases (m,), where there are any.
        output: output weights, (m,) or (m, positions), for the sizes.
        threshold: in (0, 1].
        negligible: in [0, 1).

    Returns:
        The similarities, ordered by cluster, and the clusters.

    Raises:
        InvalidInputError: if shapes disagree, a weight is not finite, an option is wrong, or the
            module is not a two-layer network.

    References:
        Zhang et al., JMLR 26(69), 2025, Fig. 4. Luo et al., "Phase diagram for two-layer ReLU
        neural networks at infinite-width limit", JMLR 22(71), 2021, for condensation.

    Example:
        >>> condensation([[1.0, 0.0], [-2.0, 0.01], [0.0, 3.0]]).n_clusters
        2
    """
    check_number("threshold", threshold, above=0.0, maximum=1.0)
    check_number("negligible", negligible, minimum=0.0, below=1.0)
    if hasattr(weights, "named_parameters"):
        if bias is not None or output is not None:
            raise InvalidInputError("bias and output must be left out where a module is given.")
        weights, bias, output = _weights_of(cast("nn.Module", weights))
    vectors = _matrix("weights", cast("ArrayLike", weights))
    if bias is not None:
        vectors = np.hstack([vectors, _matrix("bias", bias, rows=len(vectors))])
    norms = np.linalg.norm(vectors, axis=1)
    sizes = norms
    if output is not None:
        sizes = norms * np.linalg.norm(_matrix("output", output, rows=len(vectors)), axis=1)
    kept = np.flatnonzero((norms > 0) & (sizes > negligible * sizes.max(initial=0.0)))
    directions = vectors[kept] / norms[kept, None]
    similarity = np.clip(np.abs(directions @ directions.T), 0.0, 1.0)
    np.fill_diagonal(similarity, 1.0)
    order, labels = _clusters(similarity, threshold)
    return Condensation(
        similarity=similarity[np.ix_(order, order)],
        neurons=kept[order],
        labels=labels,
        threshold=threshold,
        n_left_out=len(vectors) - len(kept),
    )


def _matrix(name: str, values: ArrayLike, *, rows: int | None = None) -> np.ndarray:
    """Finite float64 values as a matrix, one row per neuron."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 1 and rows is not None:
        array = array[:, None]
    if array.ndim != 2 or (rows is not None and len(array) != rows):
        wanted = "(m, d)" if rows is None else f"({rows},) or ({rows}, ...)"
        raise InvalidInputError(f"{name} must have shape {wanted}, got {array.shape}.")
    if not np.isfinite(array).all():
        raise InvalidInputError(f"{name} must be finite, got {array[~np.isfinite(array)][0]!r}.")
    return array


def _clusters(similarity: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Order of the neurons, largest cluster first, and their clusters in that order."""
    q = len(similarity)
    if q < 2:
        return np.arange(q), np.zeros(q, dtype=np.int64)
    tree = linkage(squareform(1 - similarity, checks=False), method="complete")
    found = fcluster(tree, 1 - threshold, criterion="distance")
    leaf = np.argsort(leaves_list(tree))
    order = np.lexsort((leaf, found, -np.bincount(found)[found]))
    changes = np.concatenate([[False], found[order][1:] != found[order][:-1]])
    return order, np.cumsum(changes)


def _weights_of(module: nn.Module) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Kernels, biases and output weights of a two-layer network, one row per kernel."""
    from llr.models import two_layer_structure

    structure = two_layer_structure(module)
    if structure is None:
        raise InvalidInputError(
            f"The module must be a two-layer tanh network, got {type(module).__name__}. "
            "Give its weights as arrays instead."
        )
    parts = structure.unpack({name: p.detach().cpu() for name, p in module.named_parameters()})
    kernels = parts.kernels.reshape(-1, structure.window_size)
    bias = None if parts.kernel_bias is None else parts.kernel_bias.reshape(-1).double().numpy()
    output = parts.output.reshape(len(kernels), -1)
    return kernels.double().numpy(), bias, output.double().numpy()
