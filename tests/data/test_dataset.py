"""Data sets: separate streams, so that changing one thing leaves the rest as it was."""

import pytest
import torch

from llr.data import make_dataset, make_target, matrix_target
from llr.errors import InvalidInputError

PAPER = make_target("paper")


def test_values_are_the_targets():
    data = make_dataset(PAPER, n_train=7, n_test=9)
    assert torch.equal(data.y_train, PAPER(data.x_train))
    assert torch.equal(data.y_test, PAPER(data.x_test))
    assert data.summary() == {
        "sample_size": 7,
        "test_size": 9,
        "input_shape": (5,),
        "output_dim": 1,
    }


def test_changing_the_test_size_leaves_the_training_set():
    few, many = (
        make_dataset(PAPER, n_train=20, n_test=n, noise_std=0.1, seed=4) for n in (10, 999)
    )
    assert torch.equal(few.x_train, many.x_train)
    assert torch.equal(few.y_train, many.y_train)
    assert torch.equal(few.x_test, many.x_test[:10])


def test_training_sets_of_one_seed_are_nested_noise_included():
    few, many = (make_dataset(PAPER, n_train=n, noise_std=0.1, seed=4) for n in (6, 130))
    assert torch.equal(few.x_train, many.x_train[:6])
    # The target's matrix products may differ in the last bit with the number of rows.
    torch.testing.assert_close(few.y_train, many.y_train[:6], rtol=1e-14, atol=1e-15)
    assert torch.equal(few.y_test, many.y_test)


def test_noise_is_on_the_training_values_alone_and_has_its_size():
    clean, noisy = (make_dataset(PAPER, n_train=4000, noise_std=s, seed=1) for s in (0.0, 0.3))
    assert torch.equal(clean.x_train, noisy.x_train)
    assert torch.equal(clean.y_test, noisy.y_test)
    # n = 4000, seed 1: five standard errors of the deviation are 0.017, probability 1e-6.
    assert (noisy.y_train - clean.y_train).std().item() == pytest.approx(0.3, abs=0.017)


def test_another_seed_is_another_data_set():
    one, two = (make_dataset(PAPER, n_train=5, seed=seed) for seed in (0, 1))
    assert not torch.isclose(one.x_train, two.x_train).any()
    assert not torch.isclose(one.x_train, one.x_test[:5]).any()


def test_entries_train_on_some_and_test_on_all():
    matrix = torch.arange(16.0).reshape(4, 4).double()
    data = make_dataset(matrix_target(matrix), distribution="entries", n_train=6)
    assert data.x_train.unique(dim=0).shape == (6, 8)
    assert torch.equal(data.y_test.reshape(4, 4), matrix)


def test_entries_can_be_given_in_an_order():
    matrix = torch.arange(16.0).reshape(4, 4).double()
    entries = [(3, 1), (0, 0), (2, 3)]
    data = make_dataset(matrix_target(matrix), distribution="entries", n_train=2, entries=entries)
    assert data.y_train.flatten().tolist() == [13.0, 0.0]


def test_making_data_touches_no_global_state_and_no_gradients():
    before = torch.random.get_rng_state()
    target = make_target("paper").requires_grad_(True)
    data = make_dataset(target, n_train=5, noise_std=0.1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not data.y_train.requires_grad
    assert not data.y_test.requires_grad


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise_std": -0.1}, "noise_std must be a number >= 0"),
        ({"distribution": "entries"}, r"inputs of shape \(2 d,\), got \(5,\)"),
        ({"n_train": 0}, "n must be an integer >= 1"),
        ({"distribution": "entries", "input_shape": (4,), "n_test": 5}, "n_test must be 4"),
        (
            {"distribution": "entries", "input_shape": (4,), "entries": [(0, 0)]},
            "n_train must be at most 1",
        ),
    ],
)
def test_an_impossible_data_set_is_refused(options: dict, message: str):
    with pytest.raises(InvalidInputError, match=message):
        make_dataset(PAPER, **{"n_train": 5} | options)


def test_a_target_without_a_stated_input_shape_needs_one():
    target = torch.nn.Linear(3, 1).double()
    with pytest.raises(InvalidInputError, match="input_shape must be given for a Linear"):
        make_dataset(target, n_train=5)
    assert make_dataset(target, n_train=5, input_shape=(3,)).x_train.shape == (5, 3)
