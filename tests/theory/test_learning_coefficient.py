"""Learning coefficients: published values, the volume of small losses, and the interval."""

import itertools
from fractions import Fraction

import pytest
import torch
from tests.reference.learning_coefficient import (
    by_search_for_the_layers,
    reduced_rank_regression,
    volume_exponent,
)

from llr.errors import InvalidInputError, NotExpressibleError
from llr.models import (
    MLP,
    DiagonalNetwork,
    DifferenceOfSquares,
    MatrixFactorization,
    PaperTeacherMLP,
    SharedTanhConv1D,
    ToyLinear,
    ToyNonlinear,
    TwoLayerMLP,
)
from llr.theory import (
    deep_linear_coefficient,
    learning_coefficient,
    optimistic_sample_size,
    separation_sample_size,
)


def linear(*sizes, output_bias=False, hidden_bias=False):
    return MLP(
        sizes[0],
        widths=sizes[1:-1],
        output_dim=sizes[-1],
        activation="identity",
        hidden_bias=hidden_bias,
        output_bias=output_bias,
    )


def test_two_linear_layers_have_the_published_values_of_reduced_rank_regression():
    for inputs, outputs, hidden in itertools.product(range(1, 6), repeat=3):
        for rank in range(min(inputs, outputs, hidden) + 1):
            expected = reduced_rank_regression(inputs, outputs, hidden, rank)
            assert deep_linear_coefficient((inputs, hidden, outputs), rank) == expected


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_layers_found_are_those_that_meet_the_conditions(depth):
    for sizes in itertools.product(range(1, 5), repeat=depth + 1):
        for rank in range(min(sizes) + 1):
            assert by_search_for_the_layers(sizes, rank) == {deep_linear_coefficient(sizes, rank)}


def test_a_product_of_numbers_has_the_logarithm_of_its_depth():
    for depth in range(1, 6):
        assert deep_linear_coefficient((1,) * (depth + 1), 0) == (Fraction(1, 2), depth)


@pytest.mark.parametrize("sizes", [(2, 2, 2), (3, 1, 2), (2, 3, 2, 2), (2, 1, 1, 2), (4, 2, 3)])
def test_linear_networks_lie_between_half_the_sizes(sizes):
    model = linear(*sizes)
    for rank in range(min(sizes) + 1):
        found = learning_coefficient(model, rank)
        assert optimistic_sample_size(model, rank).value <= 2 * found.value
        assert 2 * found.value <= separation_sample_size(model, rank).value


def test_an_output_bias_adds_half_its_length_whatever_the_hidden_biases():
    bare, biased = linear(3, 2, 2), linear(3, 2, 2, output_bias=True, hidden_bias=True)
    for rank in range(3):
        difference = learning_coefficient(biased, rank).value
        assert difference - learning_coefficient(bare, rank).value == 1


@pytest.mark.parametrize(
    ("sizes", "rank"), [((1, 1, 1), 0), ((1, 1, 1, 1), 0), ((2, 1, 2), 0), ((1, 2, 2), 1)]
)
def test_the_volume_of_small_losses_shrinks_as_the_formula_says(sizes, rank):
    value, multiplicity = deep_linear_coefficient(sizes, rank)
    shapes = [(sizes[l + 1], sizes[l]) for l in range(len(sizes) - 1)]
    target = torch.zeros(sizes[-1], sizes[0], dtype=torch.float64)
    target[:rank, :rank] = torch.eye(rank) / 4
    center = torch.cat([torch.eye(*shape, dtype=torch.float64).flatten() for shape in shapes])
    center = center / 2 if rank else torch.zeros_like(center)

    def loss(theta):
        parts = torch.split(theta, [a * b for a, b in shapes], dim=1)
        product = torch.eye(sizes[0], dtype=torch.float64).expand(len(theta), -1, -1)
        for part, shape in zip(parts, shapes, strict=True):
            product = part.reshape(-1, *shape) @ product
        return (product - target).square().sum((1, 2))

    # 4e5 points, seed 0: shares above 3e-4, so the error is below 0.03 at three deviations.
    measured = volume_exponent(
        loss, center, multiplicity=multiplicity, n=400_000, low=1e-5, high=1e-3
    )
    assert abs(measured - float(value)) < 0.08


def test_the_volume_for_a_spare_tanh_neuron_is_in_its_interval():
    student = TwoLayerMLP(1, width=2, hidden_bias=False)
    found = learning_coefficient(student, 1)
    assert (found.lower, found.upper) == (1, Fraction(3, 2))
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)

    def loss(theta):
        w, a = theta[:, :2, None], theta[:, 2:, None]
        return ((a * torch.tanh(w * x)).sum(1) - torch.tanh(x)).square().mean(1)

    center = torch.tensor([1.0, 0.3, 1.0, 0.0], dtype=torch.float64)
    measured = volume_exponent(loss, center, multiplicity=1, n=400_000)
    assert float(found.lower) - 0.1 < measured < float(found.upper) + 0.1


def test_coefficients_with_parameters_of_their_own_add_up():
    assert learning_coefficient(DiagonalNetwork(4, depth=3), 1).multiplicity == 1 + 3 * 2
    assert learning_coefficient(DiagonalNetwork(4, depth=3), 1).value == 2
    assert learning_coefficient(DifferenceOfSquares(3), 3).multiplicity == 1
    assert learning_coefficient(ToyLinear(), [1.0, 2.0, 3.0]).value == Fraction(3, 2)
    assert learning_coefficient(ToyNonlinear(), [1.0, 2.0, 0.0]).multiplicity == 2
    assert learning_coefficient(ToyNonlinear(), [1.0, 2.0, 3.0]).multiplicity == 1


def test_a_diagonal_network_in_one_dimension_is_a_linear_chain():
    for depth in (1, 2, 3):
        chain = learning_coefficient(linear(1, *[1] * depth), 0)
        found = learning_coefficient(DiagonalNetwork(1, depth=depth), 0)
        assert (found.value, found.multiplicity) == (chain.value, chain.multiplicity)


def test_where_the_sizes_agree_the_coefficient_is_half_of_them():
    found = learning_coefficient(TwoLayerMLP(5, width=3), PaperTeacherMLP())
    assert (found.value, found.multiplicity) == (Fraction(21, 2), 1)
    one = learning_coefficient(SharedTanhConv1D(5, width=1, kernel_size=3), PaperTeacherMLP())
    assert one.value == Fraction(7, 2)


def test_spare_neurons_leave_an_interval():
    for m, m0, d in [(2, 1, 1), (5, 2, 3), (40, 3, 2)]:
        found = learning_coefficient(TwoLayerMLP(d, width=m, hidden_bias=False), m0)
        assert 2 * found.lower == m0 * (d + 1)
        assert 2 * found.upper == m0 * (d + 1) + (m - m0)
        assert (found.value is None) == (m > m0)


def test_the_result_shows_itself():
    known = learning_coefficient(MatrixFactorization(2, 2, width=1), 0)
    assert "learning coefficient  1" in repr(known)
    assert known.summary()["multiplicity"] == 2
    assert "from" in learning_coefficient(TwoLayerMLP(2, width=3), 1)._repr_html_()
    assert '"value": 1.0' in known.to_json()


def test_what_cannot_be_expressed_is_refused():
    with pytest.raises(NotExpressibleError):
        learning_coefficient(MatrixFactorization(3, 3, width=1), 2)
    with pytest.raises(InvalidInputError, match="rank must be from 0 to 1"):
        deep_linear_coefficient((2, 1, 2), 2)
