"""Condensation: against a naive clustering and planted directions."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference.analysis import complete_linkage_clusters

from llr.analysis import condensation
from llr.errors import InvalidInputError
from llr.models import MLP, NoShareTanhConv1D, SharedTanhConv1D, TwoLayerTanhMLP, initialize
from llr.seeds import generator


def planted(random, *, directions, copies, spread):
    """Neurons near a few directions, with random signs and sizes, in random order."""
    rows = np.repeat(directions, copies, axis=0)
    rows = rows + spread * random.normal(size=rows.shape)
    rows *= random.choice([-1, 1], size=(len(rows), 1)) * random.uniform(0.1, 10, (len(rows), 1))
    return random.permutation(rows)


@given(st.integers(0, 10_000), st.integers(2, 14), st.sampled_from([0.3, 0.8, 0.95]))
def test_clusters_are_those_of_naive_complete_linkage(seed, m, threshold):
    random = np.random.default_rng(seed)
    weights, bias = random.normal(size=(m, 2)), random.normal(size=m)
    found = condensation(weights, bias, threshold=threshold)
    rows = np.column_stack([weights, bias])
    cosine = np.array([[abs(u @ v) / math.sqrt((u @ u) * (v @ v)) for u in rows] for v in rows])
    expected = complete_linkage_clusters(cosine, threshold)
    clusters = [set(found.neurons[found.labels == i]) for i in range(found.n_clusters)]
    assert sorted(map(sorted, clusters)) == sorted(map(sorted, expected))
    assert [len(c) for c in clusters] == sorted(map(len, expected), reverse=True)
    np.testing.assert_allclose(
        found.similarity, cosine[np.ix_(found.neurons, found.neurons)], atol=1e-14
    )


def test_planted_directions_are_counted():
    random = np.random.default_rng(0)
    directions = np.array([[1, -7], [1, 0], [1, 7], [0, 1]]) / 5
    rows = planted(random, directions=directions, copies=50, spread=1e-3)
    found = condensation(rows[:, :1], rows[:, 1], threshold=0.99)
    # (1, 7) and (0, 1) have a |cosine| of 0.9899
    assert found.n_clusters == 4
    assert found.sizes.tolist() == [50] * 4
    assert (np.diff(found.labels) >= 0).all()


def test_any_two_neurons_of_a_cluster_are_as_similar_as_promised():
    found = condensation(np.random.default_rng(1).normal(size=(120, 3)), threshold=0.9)
    for label in range(found.n_clusters):
        inside = found.labels == label
        assert found.similarity[np.ix_(inside, inside)].min() >= 0.9


def test_order_sign_and_size_of_the_neurons_do_not_matter():
    random = np.random.default_rng(2)
    rows = random.normal(size=(30, 3))
    moved = random.permutation(30)
    factors = random.choice([-1, 1], size=30) * random.uniform(1e-8, 1e8, size=30)
    first, second = condensation(rows), condensation((rows * factors[:, None])[moved])
    assert first.sizes.tolist() == second.sizes.tolist()


def test_neurons_without_a_direction_are_left_out():
    found = condensation([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]], [0.0, 0.0, 0.0])
    assert (found.n_clusters, found.n_left_out, sorted(found.neurons)) == (2, 1, [1, 2])


def test_negligible_neurons_are_left_out_by_their_contribution():
    weights, output = [[1.0], [1.0], [1e-3]], [1.0, 1e-9, 1.0]
    assert condensation(weights, [0.0, 5.0, 1.0], output, negligible=1e-6).n_left_out == 1
    assert condensation(weights, [0.0, 5.0, 1.0], negligible=1e-6).n_left_out == 0


@pytest.mark.parametrize(("rows", "clusters"), [([[0.0]], 0), ([[2.0]], 1), (np.zeros((0, 3)), 0)])
def test_none_or_one_neuron_are_no_special_case(rows, clusters):
    found = condensation(rows)
    assert found.n_clusters == clusters == len(found.sizes)
    assert json.loads(found.to_json())["n_clusters"] == clusters


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (TwoLayerTanhMLP(5, width=4), 4),
        (SharedTanhConv1D(5, width=4, kernel_size=3), 4),
        (SharedTanhConv1D(5, width=4, kernel_size=3, hidden_bias=False), 4),
        (NoShareTanhConv1D(5, width=4, kernel_size=3), 12),
    ],
)
def test_a_model_gives_its_kernels_and_biases(model, rows):
    initialize(model, std=1.0, generator=generator(0, "init"))
    found = condensation(model, negligible=0.0)
    assert len(found.neurons) == rows
    params = {name: p.detach().numpy() for name, p in model.named_parameters()}
    bias = params.get("hidden.bias")
    kernels = params["hidden.weight"].reshape(rows, -1)
    by_hand = condensation(kernels, None if bias is None else bias.reshape(-1))
    np.testing.assert_allclose(found.similarity, by_hand.similarity)


def test_other_modules_and_wrong_shapes_are_refused():
    with pytest.raises(InvalidInputError, match="two-layer tanh network, got MLP"):
        condensation(MLP(3, widths=[4, 4]))
    with pytest.raises(InvalidInputError, match=r"bias must have shape \(2,\)"):
        condensation([[1.0], [2.0]], [1.0])
    with pytest.raises(InvalidInputError, match="must be finite"):
        condensation([[math.nan]])
    with pytest.raises(InvalidInputError, match="left out"):
        condensation(TwoLayerTanhMLP(5, width=4), [1.0])
