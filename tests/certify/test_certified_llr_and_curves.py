"""Proved LLR tests, rank curves and sample sizes against slow, exact ranks."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.reference.rational_rank import fractions_of, rational_rank
from torch import nn

import llr
from llr.certify import certify_curve, certify_llr, certify_size
from llr.errors import InvalidInputError
from llr.models import initialize
from llr.seeds import generator


def generic(model: nn.Module, std: float = 1.0) -> nn.Module:
    return initialize(model, std=std, generator=generator(0, "target"))


def normal(n: int, d: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(("n", "answer"), [(21, "yes"), (25, "yes"), (20, "no"), (1, "no")])
def test_the_llr_test_has_a_certain_answer_where_floating_point_sees_a_third_of_the_rank(n, answer):
    model = generic(llr.TwoLayerTanhMLP(5, width=3), std=1e-10)
    result = llr.check_llr(model, normal(n, 5), certify=True)
    assert result.certified is not None
    assert result.certified.answer == answer
    assert result.certified.chance == 0
    assert result.certified.sentence in repr(result)
    assert json.loads(result.to_json())["certificate"]["answer"] == answer


def test_without_being_asked_nothing_is_certified():
    result = llr.check_llr(llr.PaperTeacherMLP(), normal(18, 5))
    assert result.certified is None
    assert json.loads(result.to_json())["certified"] is None


def test_bounds_that_leave_it_open_are_undecided():
    model = generic(llr.TwoLayerTanhMLP(1, width=20))
    result = certify_llr(model, normal(70, 1), max_precision=64, use_theory=False)
    assert result.answer == "undecided"
    assert "between" in result.sentence


def test_further_inputs_stand_for_the_whole_space():
    model = generic(llr.MLP(2, widths=[3], activation="gelu"))
    x = normal(4, 2)
    assert certify_llr(model, x, inputs=x.flip(0)).answer == "yes"
    assert certify_llr(model, x, inputs=normal(8, 2)).answer == "no"


def test_tokens_are_certain_only_where_all_parameters_are_seen():
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(3, 1)

        def forward(self, t):
            return self.table(t).square().sum(1)

    model = Bag().double()
    assert certify_llr(model, torch.tensor([[0, 1], [1, 2], [2, 2]])).answer == "yes"
    assert certify_llr(model, torch.tensor([[0, 1], [1, 2]])).answer == "undecided"


def test_a_stated_error_of_the_parameters_is_refused():
    with pytest.raises(InvalidInputError, match="param_error"):
        llr.check_llr(llr.PaperTeacherMLP(), normal(18, 5), certify=True, param_error=0.1)


class Polynomial(nn.Module):
    """Two outputs, polynomial: J is a matrix of dyadic rationals."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 3), nn.Linear(3, 2, bias=False)

    def forward(self, x):
        return self.b(self.a(x).square())


def test_the_curve_is_the_rational_rank_of_every_leading_part():
    torch.manual_seed(0)
    model = Polynomial().double()
    with torch.no_grad():
        for value in model.parameters():
            value.copy_((value * 64).round() / 64)
    x = (normal(9, 2) * 8).round() / 8
    x[3] = x[2]  # a sample that adds nothing
    curve = certify_curve(model, x)
    J = llr.tangent_matrix(model, x).numpy()  # exact: small dyadic numbers
    truth = tuple(rational_rank(fractions_of(J[: 2 * n])) for n in range(1, 10))
    assert curve.proved
    assert curve.lower == curve.upper == truth
    assert curve.lower_by == "exact arithmetic modulo a prime"


def test_a_curve_of_symbols_is_proved_for_every_n():
    model = generic(llr.MLP(2, widths=[3, 3], activation="tanh"), std=1.0)
    curve = certify_curve(model, normal(26, 2))
    assert curve.proved
    assert curve.lower == tuple(np.minimum(np.arange(1, 27), 24))
    assert curve.saturates_at == 24
    assert curve.lower_by == "float64 enclosures"
    assert curve.upper_chance == 0
    assert "proved for every n" in repr(curve)
    assert json.loads(curve.to_json())["saturates_at"] == 24
    assert curve.summary()["lower"] == 24


def test_a_curve_that_needs_balls():
    curve = certify_curve(generic(llr.TwoLayerTanhMLP(1, width=12)), normal(40, 1))
    assert curve.lower == tuple(np.minimum(np.arange(1, 41), 36))
    assert curve.lower_by.startswith("ball arithmetic")


def test_a_curve_with_kinks_and_dead_directions():
    model = generic(llr.MLP(2, widths=[4], activation="relu"))
    curve = certify_curve(model, normal(40, 2))
    measured = llr.rank_curve(model, normal(40, 2))
    assert curve.proved
    assert curve.lower == measured.ranks


def test_the_rank_at_the_witness_of_a_sample_size_is_proved():
    model = llr.SharedTanhConv1D(5, width=10, kernel_size=3)
    size = llr.optimistic_sample_size(model, llr.PaperTeacherMLP())
    for use_theory in (True, False):
        assert certify_size(size, use_theory=use_theory).rank == size.value == 7
    with pytest.raises(InvalidInputError, match="holds its model"):
        certify_size(replace(size, model=None))
