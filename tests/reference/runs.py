"""Made-up tables of runs whose transitions are known, for tests of analysis and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd


def synthetic_runs(
    *,
    models: Mapping[str, int],
    scales: Sequence[int] = (1,),
    sample_sizes: Sequence[int] = tuple(range(1, 41, 2)),
    seeds: int = 5,
    noise: float = 0.5,
) -> pd.DataFrame:
    """One row a run: the test MSE falls from order 0.1 to order 1e-8 at a transition.

    The transition of an architecture at scale N stands at its optimistic sample size plus
    2 log2(N), shifted by a rounded normal of deviation ``noise`` for every seed.
    """
    random = np.random.default_rng(0)
    rows = []
    for model, optimistic in models.items():
        for scale in scales:
            for seed in range(seeds):
                shift = 2 * np.log2(scale) + noise * random.normal()
                for n in sample_sizes:
                    recovered = n >= optimistic + shift
                    level = -8.0 if recovered else -1.0 - n / 40
                    rows.append(
                        {
                            "id": f"{model}-{scale}-{n}-{seed}",
                            "model": model,
                            "scale": scale,
                            "width": scale * (3 if model == "mlp" else 1),
                            "sample_size": n,
                            "init_std": 1e-10,
                            "seed": seed,
                            "status": "converged",
                            "steps": int(random.integers(1000, 20000)),
                            "train_mse": 1e-10 * random.random(),
                            "test_mse": 10 ** (level + 0.3 * random.normal()),
                            "seconds": random.random(),
                            "optimistic_sample_size": optimistic,
                        }
                    )
    return pd.DataFrame(rows)
