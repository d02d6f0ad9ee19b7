"""The small sweeps of the sweep tests, trained here by each executor."""

from tests.sweep.conftest import runs_of, small  # noqa: F401 - fixtures
