"""Two thousand random networks of known rank: no certified bound is on the wrong side of it."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

from tests.certify.random_networks import random_case

from llr.certify import certify_rank
from llr.errors import InvalidInputError, UnsupportedModuleError

RESULTS = Path(__file__).with_name("certified.json")
NETWORKS = int(os.environ.get("LLR_SOAK_NETWORKS", "2000"))


def test_no_bound_is_on_the_wrong_side_of_the_exact_rank():
    counts: dict[str, Counter[str]] = {}
    violations = []
    started = time.process_time()
    for seed in range(NETWORKS + NETWORKS // 5):
        if sum(count["networks"] for count in counts.values()) >= NETWORKS:
            break
        case = random_case(seed)
        count = counts.setdefault(case.kind, Counter())
        try:
            result = certify_rank(case.model, case.x, use_theory=False, seed=seed, max_seconds=60)
        except (InvalidInputError, UnsupportedModuleError) as error:  # no derivative there
            if not any(word in str(error) for word in ("kink", "own derivatives")):
                raise
            count["on a kink or a tie, refused"] += 1
            continue
        count["networks"] += 1
        count["proved"] += result.proved
        count["deficient"] += case.rank < result.n_params
        count[f"lower by {result.lower_by}"] += 1
        count[f"upper by {result.upper_by}"] += 1
        if not result.lower <= case.rank <= result.upper:
            violations.append((seed, result.lower, case.rank, result.upper))
    content = {
        "networks": sum(c["networks"] for c in counts.values()),
        "violations": violations,
        "processor_seconds": round(time.process_time() - started),
        "counts": {kind: dict(sorted(c.items())) for kind, c in sorted(counts.items())},
    }
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")
    assert not violations
