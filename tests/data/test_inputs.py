"""Inputs: nested samples, grids with both ends, distinct matrix entries."""

import pytest
import torch

from llr.data import all_entries, grid_side, sample_entries, sample_inputs, sample_normal
from llr.errors import InvalidInputError


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("shape", [(1,), (5,), (4, 4)])
def test_fewer_inputs_are_the_first_of_more(distribution: str, shape: tuple[int, ...]):
    most = sample_inputs(distribution, 300, input_shape=shape, generator=stream())
    assert len(most.unique(dim=0)) == 300
    for n in (1, 2, 3, 5, 15, 16, 17, 63, 64, 65, 200):
        fewer = sample_inputs(distribution, n, input_shape=shape, generator=stream())
        assert torch.equal(fewer, most[:n])


def test_plain_normal_draws_are_not_nested():
    # The reason for drawing in blocks: should PyTorch change this, blocks do no harm.
    few, many = (torch.randn(n, 5, generator=stream(), dtype=torch.float64) for n in (3, 50))
    assert not torch.equal(few, many[:3])


def test_normal_inputs_have_mean_zero_and_unit_covariance():
    # n = 20,000, seed 0: five standard errors of a mean are 0.035, of a covariance 0.05; the
    # chance of a failure is below 1e-5 over the 20 numbers.
    x = sample_normal(20_000, shape=(5,), generator=stream())
    assert x.mean(dim=0).abs().max() < 0.036
    assert (x.T @ x / len(x) - torch.eye(5)).abs().max() < 0.05


def test_uniform_inputs_fill_their_range():
    x = sample_inputs("uniform", 5000, input_shape=(2,), generator=stream(), low=-3.0, high=7.0)
    assert -3 <= x.min() < -2.98
    assert 6.98 < x.max() <= 7


def test_the_papers_grid_is_evenly_spaced_with_both_ends():
    x = sample_inputs("grid", 30, input_shape=(1,), generator=stream(), low=-15.0, high=14.0)
    torch.testing.assert_close(x[:, 0], torch.arange(-15.0, 15.0, dtype=torch.float64))


def test_one_grid_point_is_the_middle():
    x = sample_inputs("grid", 1, input_shape=(2,), generator=stream(), low=0.0, high=4.0)
    assert x.tolist() == [[2.0, 2.0]]


def test_a_grid_over_several_inputs_holds_every_combination():
    x = sample_inputs("grid", 9, input_shape=(2,), generator=stream(), low=0.0, high=2.0)
    assert sorted(map(tuple, x.tolist())) == [(a, b) for a in range(3) for b in range(3)]


@pytest.mark.parametrize("n_axes", [1, 2, 3, 5])
def test_grid_sides_are_exact_roots(n_axes: int):
    sides = {n: grid_side(n, n_axes) for n in range(1, 2000)}
    expected = {k**n_axes: k for k in range(1, 2000) if k**n_axes < 2000}
    assert {n: side for n, side in sides.items() if side is not None} == expected


def test_entries_are_distinct_nested_and_in_the_end_all():
    most = sample_entries(12, n_rows=3, n_columns=4, generator=stream(1))
    assert {tuple(row) for row in most.tolist()} == {
        tuple(row) for row in all_entries(3, 4).tolist()
    }
    for n in range(1, 12):
        assert torch.equal(sample_entries(n, n_rows=3, n_columns=4, generator=stream(1)), most[:n])
    assert not torch.equal(sample_entries(12, n_rows=3, n_columns=4, generator=stream(2)), most)


def test_all_entries_go_row_by_row():
    x = all_entries(2, 3)
    assert [(row[:2].argmax().item(), row[2:].argmax().item()) for row in x] == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (1, 2),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distribution": "norml"}, "Did you mean 'normal'"),
        ({"n": 0}, "n must be an integer >= 1, got 0"),
        ({"distribution": "uniform", "low": 1.0}, "low must be a number > -inf and < 1, got 1.0"),
        ({"distribution": "grid", "n": 10}, r"k\^2 points, k on each axis, got 10"),
    ],
)
def test_an_impossible_sample_is_refused(options: dict, message: str):
    arguments = {"distribution": "normal", "n": 4} | options
    with pytest.raises(InvalidInputError, match=message):
        sample_inputs(
            arguments.pop("distribution"),
            arguments.pop("n"),
            input_shape=(2,),
            generator=stream(),
            **arguments,
        )


def test_more_entries_than_there_are_is_refused():
    with pytest.raises(InvalidInputError, match="at most 6, the number of entries of a 2 x 3"):
        sample_entries(7, n_rows=2, n_columns=3, generator=stream())
