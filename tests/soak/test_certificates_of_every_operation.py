"""A certificate of every specimen, so of every operation, is accepted by the checker."""

from __future__ import annotations

import pytest
from tests.certify.specimens import SPECIMENS, built, samples

from llr.certify import certify_rank, check_certificate


@pytest.mark.parametrize("name", SPECIMENS)
def test_its_certificate_is_accepted(name, tmp_path):
    model, x = built(name), samples(name, 9)
    result = certify_rank(model, x, use_theory=False)
    result.save(tmp_path / "rank.json")
    report = check_certificate(tmp_path / "rank.json", model)
    assert report.accepted, str(report)
    assert (report.lower, report.upper) == (result.lower, result.upper)
