"""The definitions of llr.analysis, transcribed: loops, no shortcuts."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from scipy.optimize import minimize


def isotonic_fit(recovered: list[int], runs: list[int]) -> list[Fraction]:
    """Max-min formula of the weighted isotonic regression of the shares, in exact arithmetic."""
    size = len(runs)

    def mean(first: int, last: int) -> Fraction:
        return Fraction(sum(recovered[first : last + 1]), sum(runs[first : last + 1]))

    return [max(min(mean(a, b) for b in range(i, size)) for a in range(i + 1)) for i in range(size)]


def first_reaching_half(sizes: list[int], fit: list[Fraction]) -> float:
    """First size where a fit is at least 1/2."""
    return next((float(n) for n, share in zip(sizes, fit, strict=True) if share * 2 >= 1), math.inf)


def firth_fit(sizes: list[int], recovered: list[int], runs: list[int]) -> tuple[float, float]:
    """Intercept and slope in log n that maximise log likelihood + log det(information) / 2."""
    x = np.log(sizes)
    k, m = np.array(recovered, float), np.array(runs, float)
    design = np.stack([np.ones_like(x), x], axis=1)

    def loss(beta: np.ndarray) -> float:
        eta = design @ beta
        likelihood = (k * -np.logaddexp(0, -eta) + (m - k) * -np.logaddexp(0, eta)).sum()
        p = 1 / (1 + np.exp(-eta))
        information = design.T @ np.diag(m * p * (1 - p)) @ design
        return -(likelihood + 0.5 * np.linalg.slogdet(information)[1])

    start = np.array([-np.log(np.median(sizes)), 1.0])
    found = minimize(
        loss,
        start,
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 20_000},
    )
    return found.x[0], found.x[1]


def stays_below(sizes: list[int], centres: list[float], threshold: float) -> float:
    """First size such that the centre is below there and at every larger size."""
    for i, n in enumerate(sizes):
        if all(centre < threshold for centre in centres[i:]):
            return float(n)
    return math.inf


def complete_linkage_clusters(similarity: np.ndarray, threshold: float) -> list[set[int]]:
    """Merge the two clusters whose least similar pair is most similar, down to the threshold."""
    clusters = [{i} for i in range(len(similarity))]
    while len(clusters) > 1:
        closeness, i, j = max(
            (min(similarity[a, b] for a in clusters[i] for b in clusters[j]), i, j)
            for i in range(len(clusters))
            for j in range(i)
        )
        if closeness < threshold:
            break
        clusters[j] |= clusters.pop(i)
    return clusters
