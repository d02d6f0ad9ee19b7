"""Every engine trains a batch of runs as the plain loop trains each of them alone."""

from dataclasses import replace

import pytest
from tests.training.runs import (
    DEFAULT,
    DROPOUT,
    LAYERED,
    MODELS,
    OPTIMIZERS,
    TINY,
    TWO_LAYER,
    Start,
    assert_same_run,
    draw_problem,
    plain_runs,
)

from llr.training import ENGINES, Adam, GradientDescent, train_batch

DESCENT_ENGINES = [name for name in ENGINES if name != "flow"]

# Each optimizer and each kind of start by some models here; make soak runs the whole product.
QUICK = {
    *((model, "descent, decay", DEFAULT) for model in TWO_LAYER),
    *((model, "adam", DEFAULT) for model in ("shared 2-d", "unshared, both biases", "user", "toy")),
    *((model, "adam, decay", DEFAULT) for model in LAYERED),
    *(
        (model, "momentum", DEFAULT)
        for model in ("mlp", "user", "four layers", "locally connected")
    ),
    *((model, "descent", TINY) for model in ("mlp", "shared", "matrix factorization")),
    *((model, "adam", TINY) for model in ("shared 2-d", "unshared", "1-d convolutions")),
    *((model, "descent", DEFAULT) for model in ("deep mlp", "diagonal")),
    *((model, name, DEFAULT) for model in ("mlp", "four layers") for name in DROPOUT),
    *((model, "adam, dropout", DEFAULT) for model in ("shared, output bias", "2-d convolutions")),
}


def product() -> list:
    cases = [
        *((m, o, s) for m in MODELS for o in OPTIMIZERS for s in (DEFAULT, TINY)),
        *((m, o, DEFAULT) for m in TWO_LAYER | LAYERED for o in DROPOUT),
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
    check(model, (OPTIMIZERS | DROPOUT)[optimizer], start)


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [("deep mlp", "adam"), ("1-d convolutions", "momentum"), ("mlp", "descent")],
)
def test_a_thousand_steps_change_nothing(model: str, optimizer: str):
    check(model, replace(OPTIMIZERS[optimizer], max_steps=1000), DEFAULT)


def check(model: str, how: GradientDescent | Adam, start: Start) -> None:
    """The runs of every engine that can train them are those of the plain loop."""
    problem = draw_problem(model, start)
    wanted = plain_runs(model, how, start)
    engines = [e for e in DESCENT_ENGINES if ENGINES[e].why_not(problem, how) is None]
    compiled = model in TWO_LAYER | LAYERED
    assert engines == ["compiled"] * compiled + ["torch"]
    for engine in engines:
        for result, plain in zip(train_batch(problem, how, engine=engine), wanted, strict=True):
            assert_same_run(result, plain)
            assert result.engine == engine
