"""Every engine trains a batch of runs as the plain loop trains each of them alone."""

import pytest
from tests.training.runs import (
    DEFAULT,
    DROPOUT,
    MODELS,
    OPTIMIZERS,
    TINY,
    TWO_LAYER,
    Start,
    assert_same_run,
    draw_problem,
    plain_runs,
)

from llr.training import ENGINES, train_batch

DESCENT_ENGINES = [name for name in ENGINES if name != "flow"]

# Each optimizer by a model of each kind here; the rest of the product is marked slow.
QUICK = {
    *((model, name, DEFAULT) for model in TWO_LAYER for name in ("descent, decay", "adam")),
    *((model, "adam, decay", DEFAULT) for model in ("mlp", "unshared 2-d", "user")),
    *((model, "descent", TINY) for model in ("mlp", "shared", "matrix factorization")),
    *((model, "adam", TINY) for model in ("shared 2-d", "unshared", "toy")),
    *((model, "descent", DEFAULT) for model in ("deep mlp", "user", "diagonal")),
    *((model, name, DEFAULT) for model in ("mlp", "shared, output bias") for name in DROPOUT),
}


def product() -> list:
    cases = [
        *((m, o, s) for m in MODELS for o in OPTIMIZERS for s in (DEFAULT, TINY)),
        *((m, o, DEFAULT) for m in TWO_LAYER for o in DROPOUT),
    ]
    # decay takes tiny parameters of Adam below the rounding of the steps that made them
    cases = [case for case in cases if case[1:] != ("adam, decay", TINY)]
    assert set(cases) >= QUICK
    return [
        pytest.param(
            *case, id=", ".join(map(str, case)), marks=[] if case in QUICK else pytest.mark.slow
        )
        for case in cases
    ]


@pytest.mark.parametrize(("model", "optimizer", "start"), product())
def test_a_batch_equals_each_run_trained_alone(model: str, optimizer: str, start: Start):
    problem, how = draw_problem(model, start), (OPTIMIZERS | DROPOUT)[optimizer]
    wanted = plain_runs(model, how, start)
    engines = [e for e in DESCENT_ENGINES if ENGINES[e].why_not(problem, how) is None]
    compiled = model in TWO_LAYER or model == "two-layer by another name"
    assert engines == (["compiled", "torch"] if compiled else ["torch"])
    for engine in engines:
        for result, plain in zip(train_batch(problem, how, engine=engine), wanted, strict=True):
            assert_same_run(result, plain)
            assert result.engine == engine
