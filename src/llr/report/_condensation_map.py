"""Figure: directions of the hidden neurons, ordered by cluster."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from llr.analysis import Condensation
from llr.report._style import figure_of, style

__all__ = ["plot_condensation"]


@style()
def plot_condensation(condensation: Condensation, *, figure: Figure | None = None) -> Figure:
    """Draw the |cosine| matrix of the hidden neurons, ordered by cluster, and the clusters.

    Args:
        condensation: from :func:`llr.analysis.condensation`.
        figure: to draw into, such as ``plt.figure()`` for a window; None: a new one without.

    Returns:
        The figure.

    References:
        Zhang et al., JMLR 26(69), 2025, Fig. 4 (b, c).
    """
    drawn = figure_of(figure, 3.1, 2.9)
    ax = drawn.subplots()
    q = len(condensation.neurons)
    if q:
        image = ax.imshow(condensation.similarity, vmin=0, vmax=1, cmap="viridis")
        beside = ax.inset_axes((1.03, 0, 0.04, 1))
        drawn.colorbar(image, cax=beside, label="|cosine|", ticks=[0, 0.5, 1])
    edges = np.cumsum(condensation.sizes)[:-1] - 0.5
    if q and len(edges) < q / 2:
        start = -0.5
        for end in [*edges, q - 0.5]:
            ax.plot(
                [start, end, end, start, start],
                [start, start, end, end, start],
                color="white",
                lw=0.6,
                clip_on=False,
            )
            start = end
    ax.set(xlabel="neuron", ylabel="neuron")
    ax.tick_params(length=2)
    clusters = (
        "1 cluster" if condensation.n_clusters == 1 else f"{condensation.n_clusters} clusters"
    )
    ax.set_title(f"{q} neurons in {clusters}", loc="left")
    return drawn
