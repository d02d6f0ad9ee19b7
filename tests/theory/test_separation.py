"""Separation sample sizes: the target set's branches, their dimensions, and points on them."""

import math

import pytest
import torch
from tests.reference.target_branch import branch_dimension, hessian_rank
from torch import nn
from torch.func import functional_call

from llr.errors import NotExpressibleError
from llr.models import (
    MLP,
    DiagonalNetwork,
    MatrixFactorization,
    NoShareConv1D,
    PaperTeacherMLP,
    SharedConv1D,
    SharedTanhConv1D,
    TwoLayerMLP,
    two_layer_structure,
)
from llr.theory import formal_rank, optimistic_sample_size, separation_sample_size

PAPER = PaperTeacherMLP()
SMOOTH = ("tanh", "sigmoid", "softplus", "silu", "gelu", "mish", "erf", "softsign", "gaussian")

STUDENTS = [
    *(TwoLayerMLP(2, width=4, activation=name) for name in SMOOTH),
    TwoLayerMLP(1, width=3, hidden_bias=False),
    TwoLayerMLP(3, width=5, output_bias=True),
    SharedConv1D(4, width=3, kernel_size=3),
    SharedConv1D(6, width=3, kernel_size=2),
    SharedConv1D(6, width=3, kernel_size=2, output_bias=True),
    NoShareConv1D(4, width=3, kernel_size=3, output_bias=True),
    NoShareConv1D(4, width=2, kernel_size=2, hidden_bias=False, activation="gelu"),
]


def narrow(student: nn.Module, width: int) -> nn.Module:
    """A generic network of the student's kind."""
    structure = two_layer_structure(student, activation=None)
    options = {
        "width": width,
        "activation": structure.activation,
        "hidden_bias": structure.hidden_bias,
        "output_bias": structure.output_bias,
        "generator": torch.Generator().manual_seed(3),
    }
    if structure.positions > 1:
        options["kernel_size"] = structure.window_size
    target = type(student)(structure.input_shape[0], **options)
    for parameter in target.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(parameter.numel()))
    return target.requires_grad_(False)


@pytest.mark.parametrize("student", STUDENTS, ids=repr)
@pytest.mark.parametrize("width", [1, 2])
def test_branches_express_the_target_and_have_no_larger_rank_than_codimension(student, width):
    target = narrow(student, width)
    size = separation_sample_size(student, target)
    x = torch.randn(50, *student.input_shape, dtype=torch.float64)
    assert size.value == min(branch.sample_size for branch in size.branches)
    for branch in size.branches:
        assert torch.allclose(functional_call(student, branch.params, (x,)), target(x))
        rank = formal_rank(student, params=branch.params)
        assert rank <= branch.sample_size == size.n_parameters - branch.dimension
        if branch.morse_bott is not None:
            assert branch.morse_bott == (rank == branch.sample_size)


@pytest.mark.parametrize("student", [STUDENTS[0], *STUDENTS[3:6], *STUDENTS[9:]], ids=repr)
def test_the_least_size_is_the_rank_of_the_hessian_on_its_branch(student):
    target = narrow(student, 1)
    size = separation_sample_size(student, target)
    least = min(size.branches, key=lambda branch: (branch.sample_size, -branch.units))
    assert hessian_rank(student, target, least.params) == size.value


def groupings(n: int, parts: int):
    """Ways to write n as an ordered sum of parts >= 1."""
    if parts <= 1:
        return [[n]] if parts == 1 and n else [[]] if not parts and not n else []
    return [[k, *rest] for k in range(1, n) for rest in groupings(n - k, parts - 1)]


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_every_grouping_of_the_neurons_has_the_dimension_of_its_branch(d, bias):
    m = 4
    for m0 in (1, 2):
        student = TwoLayerMLP(d, width=m, hidden_bias=bias)
        sizes = {branch.units: branch for branch in separation_sample_size(student, m0).branches}
        for r in range(m0, m + 1):
            assert sizes[r].sample_size == r + (m + m0 - r) * (d + bias)
            for grouping in groupings(m, r):
                measured = branch_dimension(d, bias, grouping[:m0], grouping[m0:])
                assert measured == sizes[r].dimension


def test_a_branch_is_morse_bott_from_half_way_on():
    for m in range(2, 7):
        for m0 in range(1, m + 1):
            for branch in separation_sample_size(TwoLayerMLP(2, width=m), m0).branches:
                assert branch.morse_bott == (2 * branch.units >= m + m0)


@pytest.mark.parametrize(
    ("scale", "sizes"), [(1, (7, 15, 21)), (3, (13, 21, 27)), (10, (34, 42, 48))]
)
def test_the_papers_target_in_the_papers_architectures(scale, sizes):
    students = (
        SharedConv1D(5, width=scale, kernel_size=3),
        NoShareConv1D(5, width=scale, kernel_size=3),
        TwoLayerMLP(5, width=3 * scale),
    )
    assert tuple(separation_sample_size(s, PAPER).value for s in students) == sizes


def test_kernels_with_many_positions_have_the_most_room_as_constants():
    size = separation_sample_size(SharedTanhConv1D(6, width=3, kernel_size=2), 1)
    assert size.branches[-1].constant_units == 2
    assert size.value == size.branches[-1].sample_size < size.branches[-2].sample_size


@pytest.mark.parametrize("output_bias", [True, False])
def test_a_constant_part_takes_a_unit_or_the_output_bias(output_bias):
    student = TwoLayerMLP(2, width=4, output_bias=output_bias)
    target = TwoLayerMLP(2, width=1, output_bias=True)
    size = separation_sample_size(student, target)
    least = min(size.branches, key=lambda branch: (branch.sample_size, -branch.units))
    assert formal_rank(student, params=least.params) == size.value
    assert size.value == (4 + 3 + 1 if output_bias else 4 + 2 * 3 - 1)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "abs"])
@pytest.mark.parametrize("bias", [True, False])
def test_units_that_can_be_rescaled_have_a_dimension_more(activation, bias):
    m, m0, d = 5, 2, 3
    student = TwoLayerMLP(d, width=m, activation=activation, hidden_bias=bias)
    size = separation_sample_size(student, m0)
    dimension = m0 + (m - m0) * (d + bias)
    assert size.value == size.n_parameters - dimension
    least = min(size.branches, key=lambda branch: (branch.sample_size, -branch.units))
    assert formal_rank(student, params=least.params) == size.value


def fibre_dimension_of_pairs(c: int, m: int, d: int, rho: int) -> int:
    """Two factors, split by the rank a of the left one alone."""
    return max((a - rho) * (c - a) + a * m + (m - a) * d for a in range(rho, min(m, c) + 1))


@pytest.mark.parametrize("shape", [(2, 2, 2), (3, 2, 4), (4, 4, 4), (2, 5, 3)])
def test_factorisations_have_the_fibres_of_pairs(shape):
    c, m, d = shape
    for rho in range(min(shape) + 1):
        size = separation_sample_size(MatrixFactorization(c, d, width=m), rho)
        assert size.value == m * (c + d) - fibre_dimension_of_pairs(c, m, d, rho)
        assert size.value >= optimistic_sample_size(MatrixFactorization(c, d, width=m), rho).value


def test_deep_linear_networks_that_are_as_wide_as_the_rank_have_one_branch():
    model = MLP(3, widths=[2, 2], output_dim=3, activation="identity", hidden_bias=False)
    # Rank 2 and width 2: the fibre is an orbit of GL(2) x GL(2).
    assert separation_sample_size(model, 2).value == 3 * 2 + 2 * 2 + 2 * 3 - 8


def test_products_of_numbers_have_one_equation():
    for depth in (2, 3, 4):
        model = MLP(1, widths=[1] * (depth - 1), activation="identity", hidden_bias=False)
        assert [separation_sample_size(model, rho).value for rho in (0, 1)] == [1, 1]
        assert separation_sample_size(DiagonalNetwork(4, depth=depth), 2).value == 4


def test_deep_networks_have_bounds_that_meet_at_the_targets_own_widths():
    model = MLP(2, widths=[3, 2])
    target = MLP(2, widths=[3, 2], generator=torch.Generator().manual_seed(0))
    assert separation_sample_size(model, target).value == 3 * 3 + 2 * 4 + 2
    wide = separation_sample_size(MLP(2, widths=[6, 5]), target)
    assert wide.value is None
    assert wide.lower == 19 <= wide.upper < wide.n_parameters


def test_a_target_that_the_model_cannot_express_is_refused():
    with pytest.raises(NotExpressibleError, match="width"):
        separation_sample_size(TwoLayerMLP(2, width=2), 3)


def test_the_result_shows_itself():
    size = separation_sample_size(TwoLayerMLP(2, width=3), 1)
    assert "2 distinct" in repr(size)
    assert "Morse-Bott" in size._repr_html_()
    assert size.summary()["value"] == size.value == 3 + 3
    assert math.isfinite(len(size.to_json()))
