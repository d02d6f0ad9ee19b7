"""Ranks of the first n samples from one factorisation are those of n factorisations."""

import json
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.jacobian import ranks_by_svd
from tests.tangent.zoo import ZOO, built

import llr
from llr.models import encode_entries, initialize
from llr.seeds import generator
from llr.tangent import leading_ranks, model_rank, rank_curve, tangent_matrix


def normal(n: int, *shape: int) -> torch.Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("max_memory", [None, 200_000.0])
def test_the_curve_is_that_of_a_decomposition_for_each_n(name, max_memory):
    model, x = built(name), ZOO[name].inputs(25, torch.Generator().manual_seed(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        curve = rank_curve(model, x, max_memory=max_memory)
        J = tangent_matrix(model, x)
    assert list(curve.ranks) == ranks_by_svd(J, curve.n_outputs, curve.tolerance)
    assert curve.rank == int(torch.linalg.matrix_rank(J))


@settings(max_examples=60)
@given(st.integers(1, 12), st.integers(1, 3), st.integers(1, 20), st.randoms(use_true_random=False))
def test_repeated_and_dependent_samples_leave_the_curve_where_it_is(n, c, columns, random):
    source = torch.Generator().manual_seed(random.randrange(2**31))
    basis = torch.randn(columns, columns, generator=source, dtype=torch.float64)
    rows = torch.tensor([random.randrange(columns) for _ in range(n * c)])
    mixed = torch.rand(n * c, 1, generator=source, dtype=torch.float64) < 0.3
    J = basis[rows] + mixed * basis[rows.flip(0)]
    factor = torch.linalg.qr(J.T, mode="r").R
    tolerance = 1e-10 * float(torch.linalg.matrix_norm(J, 2))
    assert leading_ranks(factor, c, tolerance) == ranks_by_svd(J, c, tolerance)


def test_generic_samples_raise_the_rank_one_by_one_until_it_stands():
    curve = rank_curve(llr.PaperTeacherMLP(), normal(30, 5))
    assert list(curve.ranks) == [*range(1, 18), *[18] * 13]
    assert (curve.saturates_at, curve.rank, curve.verdict) == (18, 18, "clear")


def test_a_curve_that_still_grows_says_so():
    curve = rank_curve(llr.PaperTeacherMLP(), normal(12, 5))
    assert (curve.saturates_at, curve.rank) == (None, 12)
    assert "still growing" in repr(curve)


def test_a_full_rank_reached_with_the_last_sample_is_saturated():
    curve = rank_curve(llr.PaperTeacherMLP(), normal(18, 5))
    assert curve.saturates_at == 18


# Entries of a rank-2 matrix in the orders of LS, Fig. 4, and the n where rank 7 is reached.
ORDERS = {
    "31 43 21 13 24 41 11 12 42 44 32 34 33 22 23 14": 8,
    "34 21 23 43 41 44 11 33 12 14 13 24 32 22 31 42": 9,
    "44 23 42 12 14 32 41 31 11 34 13 22 24 21 33 43": 11,
    "24 34 41 12 22 44 11 31 32 42 21 13 43 33 23 14": 12,
    "43 44 21 34 33 31 23 11 41 24 14 13 12 22 32 42": 13,
    "24 33 31 44 43 34 13 14 23 33 11 12 42 22 21 41": 12,  # as printed: 33 twice
    "24 33 31 44 43 34 13 14 23 32 11 12 42 22 21 41": 10,  # as drawn
}
M2 = [[4, 0.6, 1.8, 0.8], [6, 0.9, 2.7, 1.2], [8, 1.2, 3.6, 1.6], [18, 2.7, 8.1, 3.6]]


@pytest.mark.parametrize(("order", "reached"), ORDERS.items())
def test_matrix_completion_saturates_where_the_papers_sequences_do(order, reached):
    model = llr.MatrixFactorization(4, 4, width=4)
    # M2 is of rank 1; its least-rank point has one column and one row that are not zero.
    with torch.no_grad():
        model.left.zero_()
        model.right.zero_()
        matrix = torch.tensor(M2, dtype=torch.float64)
        model.left[:, 0], model.right[0] = matrix[:, 0], matrix[0] / matrix[0, 0]
    places = torch.tensor([[int(digit) - 1 for digit in entry] for entry in order.split()])
    x = encode_entries(places[:, 0], places[:, 1], n_rows=4, n_columns=4)
    curve = rank_curve(model, x)
    assert (curve.rank, curve.saturates_at) == (7, reached)


def test_options_are_those_of_the_model_rank():
    model = llr.TwoLayerTanhMLP(5, width=4, generator=generator(0, "init"))
    x = normal(40, 5)
    for options in ({"rtol": 1e-2}, {"atol": 0.3}, {"param_error": 1e-3}, {"gap": 1e12}):
        curve, result = rank_curve(model, x, **options), model_rank(model, x, **options)
        assert (curve.rank, curve.verdict) == (result.rank, result.verdict)
        assert curve.tolerance == pytest.approx(result.tolerance)


def test_the_summary_is_one_row_and_json_reads_back():
    curve = rank_curve(llr.ToyLinear(), normal(5, 2))
    assert curve.summary()["saturates_at"] == 3
    assert json.loads(curve.to_json())["ranks"] == [1, 2, 3, 3, 3]
    assert "from n = 3" in curve._repr_html_()
    flat = rank_curve(llr.DiagonalNetwork(2), normal(3, 2), params={"theta": torch.zeros(2, 2)})
    assert json.loads(flat.to_json())["gap"] is None
    assert (flat.rank, flat.saturates_at) == (0, 1)


@pytest.mark.parametrize("n", [1, 2])
def test_one_sample_is_enough_for_a_curve(n):
    model = initialize(llr.ToyLinear(), std=1.0, generator=generator(0, "init"))
    assert rank_curve(model, normal(n, 2)).ranks == tuple(range(1, n + 1))
