"""Finished reproductions whose runs are made up."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from llr.reproduce import load_reproduction, reproduce
from llr.reproduce._judgement import Finished


@pytest.fixture
def finished() -> Callable[..., Finished]:
    """A reproduction by name with the runs given."""

    def make(name: str, runs: pd.DataFrame, **fields) -> Finished:
        settings = load_reproduction(name)
        return Finished(name, settings, "gradient_flow", quick=False, runs=runs, **fields)

    return make


@pytest.fixture
def switching_runs() -> Callable[..., pd.DataFrame]:
    """Runs of named rows, the test MSE falling from 0.1 to 1e-8 at a known n in each."""

    def make(rows: list[dict], *, seeds: int = 3) -> pd.DataFrame:
        made = [
            {
                **{key: value for key, value in row.items() if key not in ("sizes", "at")},
                "sample_size": n,
                "seed": seed,
                "status": "converged",
                "train_mse": 1e-10,
                "test_mse": 1e-8 if n >= row["at"] else 0.1,
                "seconds": 1.0,
            }
            for row in rows
            for n in row["sizes"]
            for seed in range(seeds)
        ]
        return pd.DataFrame(made)

    return make


@pytest.fixture(scope="session")
def small_table(tmp_path_factory):
    """Table 2, really computed, and where."""
    output = tmp_path_factory.mktemp("reproduce")
    return output, reproduce("jmlr-table2", quick=True, output=output)


@pytest.fixture
def local_runs() -> Callable[..., pd.DataFrame]:
    """Runs of local recovery whose exponent of eps is known for every n."""

    def make(variant: str, exponents: dict[int, float], *, seeds: int = 3) -> pd.DataFrame:
        random = np.random.default_rng(0)
        rows = []
        for n, power in exponents.items():
            for seed in range(seeds):
                factor = 10 ** random.uniform(-1, 1)
                rows += [
                    {
                        "variant": variant,
                        "sample_size": n,
                        "seed": seed,
                        "init_std": eps,
                        "status": "converged",
                        "test_mse": factor * eps**power,
                    }
                    for eps in (1e-1, 1e-2, 1e-3)
                ]
        return pd.DataFrame(rows)

    return make
