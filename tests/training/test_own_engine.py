"""An engine of the caller's own: the one of the documentation keeps the contract and is used."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.training.runs import draw_data, draw_model, draw_problem

from llr.errors import InvalidInputError
from llr.testing import EngineContract
from llr.training import Adam, GradientDescent, train, train_batch

PAGE = Path(__file__).parents[2] / "docs" / "engines.md"


def documented_engine() -> type:
    """The class that the documentation defines, without the lines that use it."""
    (block,) = re.findall(r"```python\n([^`]*class PlainEngine[^`]*)```", PAGE.read_text())
    names = {"GradientDescent": GradientDescent}
    exec(block.partition("\n\n\nresult =")[0], names)
    return names["PlainEngine"]


PlainEngine = documented_engine()


class TestDocumentedEngine(EngineContract):
    """The contract of every engine."""

    def make(self):
        return PlainEngine()


def test_it_trains_as_the_library_does():
    problem, optimizer = draw_problem("mlp"), GradientDescent(max_steps=50)
    mine = train_batch(problem, optimizer, engine=PlainEngine())
    for result, other in zip(mine, train_batch(problem, optimizer), strict=True):
        assert (result.engine, other.engine) == ("plain", "compiled")
        assert result.train_mse == pytest.approx(other.train_mse, rel=1e-9)


def test_one_model_trains_by_it_too():
    model = draw_model("mlp", 0)
    x, y = draw_data(model, 6, 0)
    result = train(model, x, y, optimizer=GradientDescent(max_steps=3), engine=PlainEngine())
    assert (result.engine, result.steps) == ("plain", 3)


@pytest.mark.parametrize(
    ("engine", "optimizer", "sentence"),
    [
        (PlainEngine(), Adam(), "The plain engine trains by gradient descent without dropout"),
        (PlainEngine, GradientDescent(), r"must be an instance, got the class PlainEngine: write"),
        (PlainEngine(), "sgd", "optimizer must be an instance of llr's own"),
        (3, GradientDescent(), "engine must be one of"),
    ],
)
def test_what_it_cannot_train_is_refused(engine, optimizer, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        train_batch(draw_problem("mlp"), optimizer, engine=engine)


def test_results_that_are_missing_are_noticed():
    class Losing(PlainEngine):
        def run(self, problem, optimizer, *, threads=None):
            return super().run(problem, optimizer)[1:]

    with pytest.raises(InvalidInputError, match=r"Losing\.run must return 2 results.*got 1"):
        train_batch(draw_problem("mlp"), GradientDescent(max_steps=1), engine=Losing())


def test_its_frozen_parameters_stay():
    problem = draw_problem("user")
    (result, _) = train_batch(problem, GradientDescent(max_steps=5), engine=PlainEngine())
    assert torch.equal(result.params["scale"], problem.params["scale"][0])
    again = replace(GradientDescent(max_steps=5), lr=0.01)
    assert train_batch(problem, again, engine=PlainEngine())[0].train_mse != result.train_mse
