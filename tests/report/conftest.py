"""Synthetic sweeps."""

import pytest
from tests.reference.runs import synthetic_runs

OPTIMISTIC = {"mlp": 21, "cnn_noshare": 15, "cnn_shared": 7}


@pytest.fixture(scope="session")
def seed_runs():
    """As the seed's config: three architectures, one scale, six uneven sample sizes."""
    return synthetic_runs(models=OPTIMISTIC, scales=(10,), sample_sizes=(5, 10, 20, 50, 100, 200))


@pytest.fixture(scope="session")
def paper_runs():
    """As the papers' figure: three architectures, two scales, n = 1..40."""
    return synthetic_runs(models=OPTIMISTIC, scales=(1, 10), sample_sizes=range(1, 41), seeds=3)
