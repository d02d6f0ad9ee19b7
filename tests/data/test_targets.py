"""Targets are the papers' functions, to the last digit; random ones have the width asked for."""

import math
from fractions import Fraction

import pytest
import torch

from llr.data import PAPER_MATRICES, RANDOM_TARGET_MODELS, all_entries, make_target, matrix_target
from llr.errors import InvalidInputError
from llr.models import two_layer_structure


def exact_rank(rows: list[list[Fraction]]) -> int:
    """Gaussian elimination over the rationals."""
    rows = [row[:] for row in rows]
    rank = 0
    for column in range(len(rows[0])):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for r in range(rank + 1, len(rows)):
            factor = rows[r][column] / rows[rank][column]
            rows[r] = [a - factor * b for a, b in zip(rows[r], rows[rank], strict=True)]
        rank += 1
    return rank


def test_the_papers_target_by_hand():
    x = [0.3, -1.2, 0.5, 2.0, -0.7]
    expected = sum(math.tanh(0.6 * x[i] + 0.8 * x[i + 1] + x[i + 2]) for i in range(3))
    target = make_target("paper")
    assert target(torch.tensor([x], dtype=torch.float64)).item() == pytest.approx(expected, 1e-14)


def test_the_papers_target_takes_other_dimensions():
    assert make_target("paper", input_dim=8).structure.channels == 6


def test_three_bumps_by_hand():
    x = torch.linspace(-15, 14, 30, dtype=torch.float64)
    expected = [sum(math.tanh(v + s) for s in (-7, 0, 7)) for v in x.tolist()]
    torch.testing.assert_close(
        make_target("three_bumps")(x[:, None])[:, 0], torch.tensor(expected, dtype=torch.float64)
    )


def test_an_affine_target_by_hand():
    target = make_target("affine", coefficients=(1, 2, -3))
    assert target(torch.tensor([[10.0, 100.0]], dtype=torch.float64)).item() == 1 + 20 - 300


RANKS = dict(zip(PAPER_MATRICES, (1, 1, 2, 2, 3, 3, 4, 4), strict=True))


@pytest.mark.parametrize("name", PAPER_MATRICES)
def test_the_papers_matrices_have_their_ranks_in_exact_arithmetic(name: str):
    rows = [
        [Fraction(repr(entry)).limit_denominator(10) for entry in row]
        for row in PAPER_MATRICES[name].tolist()
    ]
    assert [[float(entry) for entry in row] for row in rows] == PAPER_MATRICES[name].tolist()
    assert exact_rank(rows) == RANKS[name]


@pytest.mark.parametrize("name", PAPER_MATRICES)
def test_a_matrix_target_gives_its_entries_exactly(name: str):
    values = make_target(name)(all_entries(4, 4)).reshape(4, 4)
    assert torch.equal(values, PAPER_MATRICES[name])


def test_using_a_matrix_leaves_the_papers_alone():
    target = make_target("M1")
    target.left.data.zero_()
    assert PAPER_MATRICES["M1"].abs().min() > 0


def test_a_matrix_that_is_not_square_is_a_target_too():
    matrix = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(matrix_target(matrix)(all_entries(2, 3)).reshape(2, 3), matrix.double())


@pytest.mark.parametrize("model", RANDOM_TARGET_MODELS)
def test_a_random_target_is_a_function_of_its_seed(model: str):
    def build(seed: int) -> torch.nn.Module:
        return make_target("random", input_dim=5, model=model, width=3, seed=seed)

    before = torch.random.get_rng_state()
    one, again, other = build(0), build(0), build(1)
    assert torch.equal(torch.random.get_rng_state(), before)
    x = torch.randn(4, *one.input_shape, generator=torch.Generator().manual_seed(0)).double()
    assert torch.equal(one(x), again(x))
    assert not torch.allclose(one(x), other(x))
    assert all(p.dtype == torch.float64 and not p.requires_grad for p in one.parameters())


@pytest.mark.parametrize("model", ["mlp", "cnn_shared", "cnn_noshare"])
@pytest.mark.parametrize("hidden_bias", [False, True])
def test_a_random_network_has_its_width_and_no_unit_that_vanishes(model: str, hidden_bias: bool):
    target = make_target(
        "random", input_dim=6, model=model, width=4, kernel_size=2, hidden_bias=hidden_bias
    )
    structure = two_layer_structure(target)
    assert structure.channels == 4
    assert (structure.hidden_bias, structure.output_bias) == (hidden_bias, False)
    assert target.output.weight.abs().min() >= 0.5
    assert target.output.weight.abs().max() <= 1.5
    assert target.output.weight.unique().numel() == target.output.weight.numel()


@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_random_matrix_has_its_rank(width: int):
    target = make_target("random", input_dim=4, model="matrix", width=width)
    assert torch.linalg.matrix_rank(target.left @ target.right) == width


def test_a_random_linear_target_has_its_sparsity():
    target = make_target("random", input_dim=20, model="linear", width=3)
    (coefficients,) = target.parameters()
    assert coefficients.count_nonzero() == 3


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("papr", {}, "Did you mean 'paper'"),
        ("random", {}, "needs input_dim"),
        ("random", {"input_dim": 3, "model": "cnn"}, "'cnn_shared'"),
        ("random", {"input_dim": 3, "model": "matrix", "width": 4}, "at most 3, got 4"),
        ("random", {"input_dim": 3, "model": "cnn_shared", "kernel_size": 4}, "kernel_size"),
        ("affine", {"coefficients": [1.0]}, "one more than there are inputs"),
        ("affine", {"coefficients": [1.0, math.inf]}, "finite numbers"),
        ("file", {}, "needs path"),
        ("paper", {"input_dim": 2}, "input_dim must be an integer >= 3"),
    ],
)
def test_an_impossible_target_is_refused(name: str, options: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        make_target(name, **options)
