"""Exact ranks of networks of powers: measured ranks, expected dimensions, defects."""

from __future__ import annotations

import pytest
import torch
from tests.cases import generic

from llr.models import MLP, TwoLayerMLP
from llr.tangent import model_rank
from llr.theory import explain_rank, formal_rank
from llr.theory.deep import polynomial_rank


@pytest.mark.parametrize("activation", ["square", "cube"])
@pytest.mark.parametrize(("d", "widths", "c"), [(2, [2, 2], 1), (3, [2, 2], 1), (2, [3, 2], 2)])
@pytest.mark.parametrize("bias", [False, True])
def test_deep_ranks_are_those_measured(
    activation: str, d: int, widths: list[int], c: int, bias: bool
) -> None:
    biases = {"hidden_bias": bias, "output_bias": bias}
    model = generic(MLP(d, widths=widths, output_dim=c, activation=activation, **biases), std=0.7)
    x = torch.randn(80, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    measured = model_rank(model, x)
    assert measured.verdict != "clear" or formal_rank(model) == measured.rank
    assert formal_rank(model) >= measured.rank


@pytest.mark.parametrize(
    ("d", "k", "expected", "rank"), [(3, 5, 10, 10), (5, 7, 35, 34), (4, 5, 20, 20)]
)
def test_seven_cubes_in_five_variables_are_defective(
    d: int, k: int, expected: int, rank: int
) -> None:
    model = generic(TwoLayerMLP(d, width=k, activation="cube", hidden_bias=False))
    explained = explain_rank(model)
    assert explained.rank == rank
    assert f"expected dimension {expected}, generic rank {rank}" in explained.formula
    assert ("defective by 1" in explained.formula) == (rank < expected)


def test_quadratic_layers_under_one_output_are_defective() -> None:
    # A quadratic form in (l_1^2, l_2^2): rotations of the last hidden layer change nothing.
    model = generic(MLP(3, widths=[2, 2], activation="square", hidden_bias=False))
    found = polynomial_rank(model, None)
    assert found is not None
    assert (found.rank, found.generic, found.expected) == (7, 7, 8)
    assert "the architecture is defective by 1" in explain_rank(model).formula


def test_defective_points_are_named() -> None:
    model = generic(MLP(3, widths=[2, 2], activation="cube", hidden_bias=False))
    with torch.no_grad():
        model.layers[0].weight[1] = 2 * model.layers[0].weight[0]
    assert "the point is defective by" in explain_rank(model).formula


@pytest.mark.parametrize("activation", ["square", "cube"])
def test_two_ways_agree_on_two_layers(activation: str) -> None:
    for seed in range(4):
        model = generic(
            MLP(
                3,
                widths=[2 + seed],
                output_dim=1 + seed % 2,
                activation=activation,
                hidden_bias=bool(seed % 2),
            ),
            seed=seed,
        )
        found = polynomial_rank(model, None)
        assert found is not None
        assert found.rank == explain_rank(model).rank
