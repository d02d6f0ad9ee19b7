"""Snapshots of every engine, and what train measures on them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.training.runs import draw_problem

from llr.errors import InvalidInputError
from llr.models import MLP, DiagonalNetwork, TwoLayerTanhMLP
from llr.tangent import model_rank
from llr.training import Adam, GradientDescent, GradientFlow, train, train_batch

KEPT = (0, 1, 7, 30)


def data(n: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(n, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return x, torch.sin(x.sum(1))


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("model", ["mlp", "deep mlp", "1-d convolutions"])
def test_a_snapshot_is_where_a_shorter_run_ends(model, engine):
    problem = draw_problem(model)
    optimizer = Adam(lr=1e-2, max_steps=30, tol=0.0)
    whole = train_batch(replace(problem, keep_at=KEPT), optimizer, engine=engine)
    plain = train_batch(problem, optimizer, engine=engine)
    for result, same in zip(whole, plain, strict=True):
        assert tuple(result.snapshots) == KEPT
        assert same.snapshots == {}
        assert all(torch.equal(value, same.params[k]) for k, value in result.params.items())
    for steps in KEPT:
        shorter = train_batch(problem, replace(optimizer, max_steps=steps), engine=engine)
        for result, ended in zip(whole, shorter, strict=True):
            for key, value in ended.params.items():
                torch.testing.assert_close(result.snapshots[steps][key], value, rtol=1e-12, atol=0)


def test_a_run_that_ends_early_keeps_what_it_reached():
    problem = replace(draw_problem("shared"), keep_at=(0, 1, 10**6))
    for engine in ("compiled", "torch"):
        for result in train_batch(problem, GradientDescent(tol=1e3), engine=engine):
            assert (result.steps, list(result.snapshots)) == (0, [0])


def test_rank_spectrum_and_clusters_are_those_of_each_snapshot():
    x, y = data()
    model = TwoLayerTanhMLP(3, width=5, generator=torch.Generator().manual_seed(1))
    optimizer = GradientDescent(lr=0.1, max_steps=20, tol=0.0)
    result = train(
        model, x, y, optimizer=optimizer, record=("rank", "clusters", "spectrum"), at=[0, 3]
    )
    rows = result.record.rows()
    assert [row["step"] for row in rows] == [0, 3, 20]
    for row, steps in zip(rows, (0, 3, 20), strict=True):
        there = train(model, x, y, optimizer=replace(optimizer, max_steps=steps)).params
        wanted = model_rank(model, x, params=there)
        assert (row["rank"], row["verdict"]) == (wanted.rank, wanted.verdict)
        np.testing.assert_allclose(row["spectrum"], wanted.singular_values.numpy(), rtol=1e-9)
        assert row["clusters"] == 5
    assert "spectrum" in result.to_json()
    assert "step 20" in result.record._repr_html_()


def test_units_that_point_in_one_direction_are_one_cluster():
    x, y = data()
    model = MLP(3, widths=[4, 2], activation="relu")
    with torch.no_grad():
        first = dict(model.named_parameters())["layers.0.weight"]
        first[:] = torch.tensor([[1.0, 2, 3], [-2, -4, -6], [0, 0, 0], [3, -1, 0]])
        first[1] *= 1e-200  # tiny units have a direction, too
        dict(model.named_parameters())["layers.0.bias"].zero_()
    still = GradientDescent(max_steps=0)
    assert train(model, x, y, optimizer=still, record=["clusters"]).record.clusters == (2,)


def test_what_cannot_be_recorded_is_refused_with_a_sentence():
    x, y = data()
    model = TwoLayerTanhMLP(3, width=2)
    options = {"optimizer": GradientDescent(max_steps=5)}
    for wrong, sentence in (
        ({"record": ["rnk"]}, "Did you mean 'rank'"),
        ({"record": "rank"}, "tuple of names"),
        ({"at": [1]}, "give record, too"),
        ({"record": ["rank"], "at": [6]}, "from 0 to max_steps = 5"),
        ({"record": ["rank"], "optimizer": GradientFlow()}, "a gradient flow has none"),
    ):
        with pytest.raises(InvalidInputError, match=sentence):
            train(model, x, y, **{**options, **wrong})
    with pytest.raises(InvalidInputError, match="not one with a hidden layer"):
        train(DiagonalNetwork(3, depth=2), x, y, **options, record=["clusters"])
