"""Lower <= exact <= upper on random networks; ``make soak`` takes thousands of them."""

from __future__ import annotations

import pytest
from tests.certify.random_networks import random_case

from llr.certify import certify_rank


@pytest.mark.parametrize("seed", [*range(13), 14, 15])  # 13 has a tie at every input
def test_the_bounds_enclose_the_exact_rank(seed):
    case = random_case(seed)
    result = certify_rank(case.model, case.x, use_theory=False, seed=seed)
    assert result.lower <= case.rank <= result.upper, case
