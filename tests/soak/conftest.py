"""Faults for twenty minutes, for ``make soak`` alone; what came of each goes to results.json."""

import json
import os
from pathlib import Path

from tests.sweep.conftest import runs_of, small  # noqa: F401 - fixtures
from tests.sweep.faults import long, started  # noqa: F401 - fixtures

from llr.sweep import describe_environment

collect_ignore_glob = ["fuzz.py"] if os.environ.get("LLR_SOAK") else ["fuzz.py", "test_*.py"]

RESULTS = Path(__file__).with_name("results.json")

_outcomes = {}


def pytest_runtest_logreport(report):
    """Note what became of a test, and how long it took."""
    if "tests/soak/" in report.nodeid and (report.when == "call" or not report.passed):
        name = report.nodeid.partition("::")[2]
        _outcomes[name] = {"outcome": report.outcome, "seconds": round(report.duration, 1)}


def pytest_sessionfinish():
    """Keep the results of tests that ran, beside those that did not this time."""
    if _outcomes:
        before = json.loads(RESULTS.read_text())["tests"] if RESULTS.exists() else {}
        results = {"environment": describe_environment(), "tests": {**before, **_outcomes}}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
