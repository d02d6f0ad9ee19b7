"""The library's parts keep the contracts that it ships; the contracts notice who does not."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from llr.executors import InProcessExecutor, Outcome
from llr.models import (
    MLP,
    DiagonalNetwork,
    DifferenceOfSquares,
    MatrixFactorization,
    NoShareTanhConv1D,
    NoShareTanhConv2D,
    SharedTanhConv1D,
    SharedTanhConv2D,
    ToyLinear,
    ToyNonlinear,
    TwoLayerTanhMLP,
)
from llr.sweep import JsonLinesStore
from llr.testing import EngineContract, ExecutorContract, ModelContract, StoreContract
from llr.training import ENGINES, Adam, GradientFlow

MODELS = {
    "mlp": lambda **g: TwoLayerTanhMLP(4, width=3, **g),
    "shared": lambda **g: SharedTanhConv1D(4, width=2, kernel_size=3, **g),
    "unshared": lambda **g: NoShareTanhConv1D(4, width=2, kernel_size=3, output_bias=True, **g),
    "shared 2-d": lambda **g: SharedTanhConv2D(4, width=2, kernel_size=3, **g),
    "unshared 2-d": lambda **g: NoShareTanhConv2D(4, width=2, kernel_size=3, **g),
    "deep": lambda **g: MLP(4, widths=[3, 2], activation="gelu", **g),
    "factorization": lambda **g: MatrixFactorization(3, 2, width=2, **g),
    "diagonal": lambda **g: DiagonalNetwork(4, depth=2, **g),
    "squares": lambda **g: DifferenceOfSquares(4, **g),
    "linear toy": lambda **g: ToyLinear(**g),
    "nonlinear toy": lambda **g: ToyNonlinear(**g),
}


def names_of(contract):
    return [name for name in dir(contract) if name.startswith("test_")]


def kept(contract, name):
    """Whether a contract's test passes."""
    try:
        getattr(contract, name)()
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("test", names_of(ModelContract))
def test_every_model_keeps_the_contract(name, test):
    class Contract(ModelContract):
        seed = 0

        def make(self):
            self.seed += 1
            return MODELS[name](generator=torch.Generator().manual_seed(self.seed))

        def inputs(self, n):
            shape = self.make().input_shape
            stream = torch.Generator().manual_seed(0)
            return torch.randn(n, *shape, dtype=torch.float64, generator=stream)

    getattr(Contract(), test)()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("test", names_of(EngineContract))
def test_every_engine_keeps_the_contract(engine, test):
    class Contract(EngineContract):
        def make(self):
            return ENGINES[engine]

    contract = Contract()
    if engine == "flow":
        contract.optimizer = GradientFlow(tol=1e-4, max_time=1e4)
    getattr(contract, test)()


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "flow"])
def test_every_descent_engine_keeps_the_contract_with_adam(engine):
    class Contract(EngineContract):
        optimizer = Adam(lr=0.01, max_steps=100, tol=1e-3)

        def make(self):
            return ENGINES[engine]

    for test in names_of(Contract):
        getattr(Contract(), test)()


class Mixing(nn.Module):
    """Centres its batch, so that rows depend on each other."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 2, dtype=torch.float64))
        self.spare = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, x):
        return (x - x.mean(0)) @ self.weight.T


def test_the_model_contract_notices_rows_that_mix_and_parameters_without_influence():
    class Contract(ModelContract):
        def make(self):
            return Mixing()

        def inputs(self, n):
            return torch.arange(2.0 * n, dtype=torch.float64).reshape(n, 2)

    broken = {test for test in names_of(Contract) if not kept(Contract(), test)}
    assert broken == {
        "test_each_row_depends_on_its_own_input_alone",
        "test_every_parameter_can_be_trained",
    }


@pytest.mark.parametrize(
    ("change", "noticed_by"),
    [
        (lambda r: replace(r, test_mse=2 * r.test_mse), "reported_errors_are_those"),
        (lambda r: replace(r, engine="another"), "ends_with_a_status_and_its_numbers"),
        (
            lambda r: replace(r, params={k: 1.001 * v for k, v in r.params.items()}),
            "takes_the_steps_of_its_definition",
        ),
        (lambda r: replace(r, params={}), "ends_with_a_status_and_its_numbers"),
        (lambda r: replace(r, train_mse=math.nan), "data_that_are_not_finite_end_one_run"),
    ],
)
def test_the_engine_contract_notices_results_that_are_wrong(change, noticed_by):
    class Wrong(type(ENGINES["torch"])):
        def run(self, problem, optimizer, *, threads=None):
            return [change(r) for r in super().run(problem, optimizer, threads=threads)]

    class Contract(EngineContract):
        def make(self):
            return Wrong()

    (test,) = (test for test in names_of(Contract) if noticed_by in test)
    assert not kept(Contract(), test)


class Forgetful(InProcessExecutor):
    """Loses its fourth item."""

    def map(self, function, items):
        for number, outcome in enumerate(super().map(function, items)):
            if number != 3:
                yield outcome


class Greedy(InProcessExecutor):
    """Takes all items at once."""

    def map(self, function, items):
        yield from super().map(function, list(items))


class Careless(InProcessExecutor):
    """Lets exceptions through."""

    def map(self, function, items):
        for item in items:
            yield Outcome(item, function(item))


@pytest.mark.parametrize(
    ("executor", "noticed_by"),
    [
        (Forgetful, "every_item_gives_its_value_once"),
        (Greedy, "taken_only_as_workers_become_free"),
    ],
)
def test_the_executor_contract_notices_one_that_breaks_it(executor, noticed_by):
    class Contract(ExecutorContract):
        def make(self):
            return executor()

    (test,) = (test for test in names_of(Contract) if noticed_by in test)
    assert not kept(Contract(), test)


def test_the_executor_contract_notices_an_exception_that_gets_through():
    class Contract(ExecutorContract):
        def make(self):
            return Careless()

    with pytest.raises(ValueError, match="three is not wanted"):
        Contract().test_an_exception_becomes_the_failure_of_its_item_and_of_no_other()


class Overwriting(JsonLinesStore):
    """Lets a later run take the place of an earlier one."""

    def _remember(self, record, shard, offset):
        self._places.pop(record["id"], None)
        super()._remember(record, shard, offset)


def test_the_store_contract_notices_runs_that_are_replaced():
    class Contract(StoreContract):
        def make(self, folder):
            return Overwriting(folder)

    assert not kept(Contract(), "test_a_run_takes_the_place_of_its_error_and_the_first_one_stays")
    assert kept(Contract(), "test_what_was_appended_is_there_for_the_next_store")
