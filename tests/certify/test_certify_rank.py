"""Certified ranks: the known integers, what is refused, and what a result says."""

from __future__ import annotations

import json

import pytest
import torch
from tests.cases import CASES
from torch import nn

import llr
from llr.certify import CertifiedRank, certify_rank
from llr.errors import (
    InvalidInputError,
    NotProvedError,
    UnsupportedModuleError,
)
from llr.models import initialize
from llr.seeds import generator


def generic(model: nn.Module, std: float = 1.0, seed: int = 0) -> nn.Module:
    return initialize(model, std=std, generator=generator(seed, "target"))


@pytest.mark.parametrize("case", CASES.values(), ids=repr)
def test_the_certified_rank_without_theory_is_the_known_one(case):
    result = certify_rank(case.build(), use_theory=False)
    assert (result.lower, result.upper) == (case.rank, case.rank)
    assert result.upper_chance < 1e-8


@pytest.mark.parametrize(
    ("model", "rank", "method"),
    [
        (lambda: generic(llr.TwoLayerTanhMLP(1, width=6)), 18, "float64"),
        (lambda: generic(llr.TwoLayerTanhMLP(1, width=20)), 60, "balls"),
        (lambda: generic(llr.TwoLayerTanhMLP(5, width=3), std=1e-10), 21, "balls"),
        (lambda: generic(llr.MLP(3, widths=[4], activation="relu")), 16, "exact"),
        (
            lambda: generic(llr.MLP(5, widths=[8, 8], activation="relu", output_bias=True)),
            113,
            "exact",
        ),
        (lambda: generic(llr.MLP(4, widths=[5, 5], activation="gelu")), 60, "float64"),
    ],
)
def test_each_kind_of_proof_proves_what_float64_may_not_see(model, rank, method):
    result = certify_rank(model())
    assert (result.rank, result.lower_by) == (rank, method)


def test_a_saturated_unit_and_near_duplicates():
    model = llr.TwoLayerTanhMLP(2, width=2)
    state = {
        "hidden.weight": torch.tensor([[1.0, 0.5], [1.0, 0.5 + 2.0**-40]]),
        "hidden.bias": torch.tensor([0.25, 60.0]),
        "output.weight": torch.tensor([[1.0, 1.0]]),
    }
    model.load_state_dict(state)
    assert certify_rank(model).rank == certify_rank(model, use_theory=False).rank == 8


@pytest.mark.parametrize("n", [3, 7, 9])
def test_on_samples_the_rank_is_the_smaller_of_rows_and_model_rank(n):
    model = generic(llr.SharedTanhConv1D(5, width=3, kernel_size=3))
    x = torch.randn(n, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    result = certify_rank(model, x)
    assert (result.rank, result.n_rows) == (min(n, 21), n)
    assert result.deterministic


def test_repeated_samples_count_once():
    model = generic(llr.MLP(3, widths=[4], activation="gelu"))
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    result = certify_rank(model, torch.cat([x, x[:2]]))
    assert (result.lower, result.upper) == (4, 4)


def test_a_rank_that_is_asked_for_is_proved_and_nothing_more():
    model = generic(llr.TwoLayerTanhMLP(4, width=5))
    result = certify_rank(model, rank=10)
    assert result.lower == 10
    assert not result.proved
    with pytest.raises(NotProvedError, match="between 10 and 30"):
        _ = result.rank


def test_without_time_the_bounds_are_honest():
    result = certify_rank(generic(llr.MLP(3, widths=[6, 6])), max_seconds=1e-9)
    assert (result.lower, result.upper, result.proved) == (0, 72, False)
    assert "max_seconds" in result.message


def test_too_few_bits_give_a_smaller_lower_bound_and_never_a_wrong_one():
    model = generic(llr.TwoLayerTanhMLP(1, width=20))
    result = certify_rank(model, max_precision=64)
    assert 0 < result.lower < 60 == result.upper


def test_a_sample_on_a_kink_is_refused_and_named():
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)).double()
    nn.init.constant_(model[0].weight, 1.0)
    nn.init.constant_(model[0].bias, -0.5)
    with pytest.raises(InvalidInputError, match="sample 1 does"):
        certify_rank(model, torch.tensor([[1.0], [0.5]]).double())


def test_a_unit_that_is_off_everywhere_is_no_kink():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)).double()
    with torch.no_grad():
        model[0].weight[1], model[0].bias[1] = 0.0, 0.0
    assert certify_rank(model).rank == 4


def test_tokens_need_samples_and_get_a_rank_on_them():
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.out = nn.Embedding(4, 2), nn.Linear(2, 1)

        def forward(self, t):
            return self.out(torch.tanh(self.table(t)).sum(1))

    torch.manual_seed(0)
    model = Bag().double()
    tokens = torch.tensor([[0, 1], [1, 2], [2, 2], [0, 3], [3, 1], [2, 0]])
    result = certify_rank(model, tokens)
    assert result.proved
    assert result.rank == int(torch.linalg.matrix_rank(llr.tangent_matrix(model, tokens)))
    with pytest.raises(InvalidInputError, match="Pass samples x"):
        certify_rank(model)


def test_a_function_of_parameters_and_inputs():
    params = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([0.5, -1.0])}
    x = torch.randn(6, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    result = certify_rank(lambda p, x: (torch.sin(x * p["b"]) * p["a"]).sum(1), x, params=params)
    assert (result.rank, result.n_params) == (4, 4)


class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 1)

    def forward(self, x):
        return self.a(x) if x.sum() > 0 else -self.a(x)


class Rounds(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 1)

    def forward(self, x):
        return torch.floor(self.a(x)) * self.a(x)


class Detached(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 2)

    def forward(self, x):
        return self.a(x).detach() * self.a(x)


class NoGrad(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 2)

    def forward(self, x):
        with torch.no_grad():
            gate = torch.sigmoid(self.a(x))
        return gate * self.a(x)


class Mixes(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 2)

    def forward(self, x):
        return self.a(x) - self.a(x).mean(0)


class Narrow(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 2)

    def forward(self, x):
        return self.a(x).float().double()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Branch(), "could not be traced"),
        (Rounds(), "aten.floor"),
        (Detached(), "aten.detach"),
        (NoGrad(), "must not stop gradients"),
        (Mixes(), "must not be mixed"),
        (Narrow(), "aten._to_copy"),
    ],
)
def test_what_has_no_rule_is_refused_by_name(model, words):
    model = model.double()
    with pytest.raises(UnsupportedModuleError, match=words):
        certify_rank(model)


def test_wrong_arguments_are_refused():
    model = llr.PaperTeacherMLP()
    for arguments in ({"rank": 0}, {"max_precision": 10}, {"max_seconds": 0}):
        with pytest.raises(InvalidInputError, match=next(iter(arguments))):
            certify_rank(model, **arguments)


def test_a_model_is_left_as_it_was():
    model = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 1))
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    certify_rank(model)
    assert model.training
    assert all(part.training for part in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(value.dtype == torch.float32 for value in model.state_dict().values())


def test_two_calls_give_one_result_and_another_seed_the_same_rank():
    model = generic(llr.MLP(3, widths=[4, 3], activation="relu"))
    first, second, other = (certify_rank(model, seed=s) for s in (0, 0, 1))
    assert first.rows == second.rows
    assert first.columns == second.columns
    assert torch.equal(first.samples, second.samples)
    assert first.rank == other.rank


def test_a_result_says_how_each_bound_was_reached():
    result = certify_rank(llr.PaperTeacherMLP(hidden_bias=True))
    assert isinstance(result, CertifiedRank)
    text = repr(result)
    assert "rank 21, proved ✓" in text
    assert "at least 21: a theorem, by float64 enclosures" in text
    row = json.loads(result.to_json())
    assert row["rank"] == row["lower"] == row["upper"] == 21
    assert row["upper_by"] == "parameters"
    assert set(row["seconds_by_stage"]) >= {"trace", "check"}
    assert "✓ proved" in result._repr_html_()
    assert len(result.rows) == len(result.columns) == 21


def test_the_chance_of_error_is_stated_where_the_upper_bound_is_probable():
    model = generic(llr.MLP(3, widths=[4, 4], activation="gelu"))
    with torch.no_grad():
        model.layers[0].weight[1], model.layers[0].bias[1] = 0.0, 0.0
    result = certify_rank(model)
    assert result.proved
    assert result.rank < result.n_params


def test_certify_imports_neither_flint_nor_a_tracer_before_it_is_called():
    import subprocess
    import sys

    names = "llr.model_rank, llr.check_llr, llr.condense"
    code = f"import llr, sys; {names}; print('flint' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_when_the_time_is_over_the_stages_that_ended_count(monkeypatch):
    from llr.certify import _certify_rank
    from llr.certify._rank_problem import OutOfTimeError

    def out_of_time(problem, guess=0):
        raise OutOfTimeError

    model = generic(llr.MLP(3, widths=[6, 6]))
    monkeypatch.setattr(_certify_rank, "formal_bound", out_of_time)
    monkeypatch.setattr(_certify_rank, "MOST_GUESSED", 10)
    result = certify_rank(model, use_theory=False)
    assert (result.lower, result.upper) == (72, 72)  # full rank was proved before


def test_no_stage_begins_that_would_end_too_late():
    from llr.certify._rank_problem import Deadline, OutOfTimeError

    deadline = Deadline(100.0)
    deadline.check(10.0)
    assert not deadline.over
    with pytest.raises(OutOfTimeError):
        deadline.check(101.0)
    assert deadline.over
    Deadline(None).check(1e9)


def test_tokens_whose_argument_cancels_at_a_kink_are_decided_by_balls():
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(2, 2)

        def forward(self, t):
            return self.table(t).sum(1).relu()

    model = Bag().double()
    with torch.no_grad():
        model.table.weight.copy_(torch.tensor([[1.0, 0.5], [-0.5, 0.25]]))
    tokens = torch.tensor([[0, 1, 1], [0, 0, 1]])  # 1 - 0.5 - 0.5 = 0, where float64 has a radius
    result = certify_rank(model, tokens)
    assert result.rank == int(torch.linalg.matrix_rank(llr.tangent_matrix(model, tokens))) == 3
