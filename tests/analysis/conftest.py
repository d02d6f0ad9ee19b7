"""Synthetic tables of runs."""

import pytest
from tests.reference.runs import synthetic_runs


@pytest.fixture
def runs():
    """Two architectures, two scales, eight seeds; recovery from a known number of samples."""
    return synthetic_runs(models={"mlp": 21, "cnn_shared": 7}, scales=(1, 10), seeds=8)
