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


@pytest.fixture(scope="session")
def finished_sweep(tmp_path_factory):
    """The folder of a small sweep that really ran: 2 models, 2 scales, 3 sizes, 2 seeds."""
    from llr.config import parse_config
    from llr.sweep import run_sweep

    config = parse_config(
        {
            "experiment": {"name": "small"},
            "data": {"test_size": 50},
            "training": {"max_steps": 300, "tol": 1e-6},
            "init": {"std": 1e-2},
            "sweep": {
                "enabled": True,
                "models": ["mlp", "cnn_shared"],
                "scales": [1, 3],
                "sample_sizes": [5, 10, 20],
                "seeds": 2,
            },
            "output": {"dir": str(tmp_path_factory.mktemp("outputs")), "save_parameters": True},
            "execution": {"executor": "in_process", "engine": "torch"},
        }
    )
    return run_sweep(config, progress=False).folder
