"""formal_rank against hand-derived integers and against many digits of the definition."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import CASES, EXACT_CASES, Case, generic
from tests.effort import cases
from tests.reference.high_precision_rank import high_precision_rank
from tests.theory.networks import degenerate_networks
from torch import nn

from llr.errors import InvalidInputError, UnsupportedModuleError
from llr.models import (
    MLP,
    DiagonalNetwork,
    MatrixFactorization,
    NoShareTanhConv2D,
    SharedTanhConv1D,
    SharedTanhConv2D,
    TwoLayerTanhMLP,
    two_layer_structure,
)
from llr.theory import formal_rank

# Elimination in many digits takes about (parameters)^3; larger cases are left to the float methods.
MOST_PARAMETERS = 40


@pytest.mark.parametrize("case", EXACT_CASES, ids=repr)
def test_every_registered_rank_is_met(case: Case) -> None:
    assert formal_rank(case.build()) == case.rank


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in EXACT_CASES
        if (structure := two_layer_structure(case.build())) is not None
        and structure.n_parameters <= MOST_PARAMETERS
    ],
    ids=repr,
)
def test_registered_ranks_hold_in_many_digits(case: Case) -> None:
    assert high_precision_rank(case.build()) == case.rank


@settings(max_examples=100)
@given(degenerate_networks(most_parameters=22))
def test_degenerate_networks_have_the_rank_of_the_definition(model: nn.Module) -> None:
    assert formal_rank(model) == high_precision_rank(model)


@settings(max_examples=cases(60, soak=600))
@given(degenerate_networks(most_parameters=36))
def test_many_larger_degenerate_networks_have_the_rank_of_the_definition(model: nn.Module) -> None:
    assert formal_rank(model) == high_precision_rank(model)


@settings(max_examples=cases(40, soak=100))
@given(degenerate_networks(most_parameters=60), st.integers(0, 2**32))
def test_rank_does_not_change_when_units_swap_or_change_sign(model: nn.Module, seed: int) -> None:
    structure = two_layer_structure(model)
    assert structure is not None
    weights = structure.unpack({name: p.detach() for name, p in model.named_parameters()})
    stream = torch.Generator().manual_seed(seed)
    order = torch.randperm(structure.channels, generator=stream)
    sign = 2.0 * torch.randint(2, (structure.channels,), generator=stream) - 1
    by_channel = sign.double()[:, None]
    bias = weights.kernel_bias
    changed = structure.pack(
        weights._replace(
            kernels=(weights.kernels * by_channel[..., None])[order],
            kernel_bias=None if bias is None else (bias * by_channel)[order],
            output=(weights.output * by_channel)[order],
        )
    )
    assert formal_rank(model, params=changed) == formal_rank(model)


def test_one_bit_tells_units_apart() -> None:
    model = TwoLayerTanhMLP(2, width=2, hidden_bias=False)
    weight = torch.tensor([[0.1, 0.7], [0.1, 0.7]], dtype=torch.float64)
    output = torch.ones(1, 2)
    assert formal_rank(model, params={"hidden.weight": weight, "output.weight": output}) == 3
    weight[1, 0] = torch.nextafter(weight[1, 0], torch.tensor(1.0).double())
    assert formal_rank(model, params={"hidden.weight": weight, "output.weight": output}) == 6


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_low_precision_parameters_are_taken_at_their_exact_values(dtype: torch.dtype) -> None:
    weight = torch.tensor([[1.0, 0.1], [1.0, 0.100001]])  # equal in 8 or 11 bits, not in 24
    model = TwoLayerTanhMLP(2, width=2, hidden_bias=False, dtype=dtype)
    params = {"hidden.weight": weight.to(dtype), "output.weight": torch.ones(1, 2, dtype=dtype)}
    assert formal_rank(model, params=params) == (6 if dtype == torch.float32 else 3)


def test_minus_zero_is_zero() -> None:
    model = TwoLayerTanhMLP(2, width=2)
    params = {
        "hidden.weight": torch.tensor([[0.0, 1.0], [-0.0, 1.0]]),
        "hidden.bias": torch.tensor([0.0, -0.0]),
        "output.weight": torch.ones(1, 2),
    }
    assert formal_rank(model, params=params) == 4


def test_extreme_magnitudes_count_like_any_other() -> None:
    model = SharedTanhConv1D(5, width=2, kernel_size=3, hidden_bias=False)
    kernel = torch.tensor([1e-310, 1e300, -1e-5], dtype=torch.float64)
    params = {
        "hidden.weight": kernel.expand(2, 1, 3),
        "output.weight": torch.tensor([[1e-308, 0, 0, 0, 0, 1e308]], dtype=torch.float64),
    }
    assert formal_rank(model, params=params) == 3 + 2 * 3


def test_frozen_parameters_do_not_count() -> None:
    model = TwoLayerTanhMLP(5, width=3, output_bias=True)
    assert formal_rank(model) == 22
    model.output.weight.requires_grad_(False)
    assert formal_rank(model) == 19
    model.hidden.requires_grad_(False)
    assert formal_rank(model) == 1
    model.output.bias.requires_grad_(False)
    assert formal_rank(model) == 0


def test_frozen_factors_do_not_count() -> None:
    model = generic(MatrixFactorization(4, 5, width=2))
    assert isinstance(model, MatrixFactorization)
    assert formal_rank(model) == 2 * (4 + 5 - 2)
    model.left.requires_grad_(False)
    assert formal_rank(model) == 5 * 2
    model.right.requires_grad_(False)
    assert formal_rank(model) == 0


def test_a_linear_network_with_a_frozen_layer_has_the_rank_of_the_rest() -> None:
    model = generic(MLP(4, widths=[2], output_dim=3, activation="identity", hidden_bias=False))
    assert isinstance(model, MLP)
    model.layers[0].requires_grad_(False)
    assert formal_rank(model) == 3 * 2
    model.layers[0].requires_grad_(True)
    model.layers[1].requires_grad_(False)
    assert formal_rank(model) == 2 * 4


def test_vector_valued_networks_count_every_output() -> None:
    model = generic(MLP(3, widths=[2], output_dim=2, output_bias=True))
    # tanh(z_g) e_l: 2 * 2; tanh'(z_g) (1, x) along one output direction each: 2 * 4; 1 e_l: 2.
    assert formal_rank(model) == 14
    sequential = generic(nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2)).double())
    assert formal_rank(sequential) == 14


def test_two_units_with_independent_output_directions_keep_both() -> None:
    model = MLP(2, widths=[2], output_dim=2, hidden_bias=False)
    params = {
        "layers.0.weight": torch.tensor([[1.0, 2.0], [1.0, 2.0]]),
        "layers.1.weight": torch.tensor([[1.0, 3.0], [2.0, 4.0]]),
    }
    assert formal_rank(model, params=params) == 2 + 2 * 2
    params["layers.1.weight"] = torch.tensor([[1.0, 3.0], [2.0, 6.0]])
    assert formal_rank(model, params=params) == 2 + 2


def test_sequential_is_read_like_the_class() -> None:
    model = nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 1, bias=False))
    assert formal_rank(model) == 21


def test_large_networks_take_seconds() -> None:
    assert formal_rank(generic(TwoLayerTanhMLP(40, width=3000))) == 3000 * 42
    shared = generic(SharedTanhConv2D(28, width=10, kernel_size=3))
    assert formal_rank(shared) == 10 * (676 + 9 + 1)
    unshared = generic(NoShareTanhConv2D(28, width=2, kernel_size=3, hidden_bias=False))
    assert formal_rank(unshared) == 2 * 6760


def test_many_equal_kernels_keep_independent_output_vectors() -> None:
    model = generic(SharedTanhConv2D(10, width=30, kernel_size=3))
    kernel = {"hidden.weight": torch.ones(30, 1, 3, 3), "hidden.bias": torch.ones(30)}
    assert formal_rank(model, params=kernel) == 64 + 30 * (9 + 1)


def test_the_module_is_not_changed() -> None:
    model = CASES["mlp-constant-unit"].build().float().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    formal_rank(model)
    assert model.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_parameters_that_are_not_finite_are_refused_by_name(bad: float) -> None:
    model = TwoLayerTanhMLP(2, width=1)
    with pytest.raises(InvalidInputError, match=r"hidden\.weight must be finite"):
        formal_rank(model, params={"hidden.weight": torch.full((1, 2), bad)})


def test_unknown_parameters_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(InvalidInputError, match=r"Did you mean 'hidden\.weight'"):
        formal_rank(TwoLayerTanhMLP(2, width=1), params={"hidden.weigth": torch.ones(1, 2)})
    with pytest.raises(InvalidInputError, match=r"must have shape \(1, 2\), got \(2, 1\)"):
        formal_rank(TwoLayerTanhMLP(2, width=1), params={"hidden.weight": torch.ones(2, 1)})


@pytest.mark.parametrize(
    "model",
    [
        MLP(3, widths=[3, 2], activation="gelu"),
        MLP(3, widths=[3, 2], activation="relu"),
        nn.Sequential(nn.Linear(3, 2), nn.LeakyReLU(0.2), nn.Linear(2, 1)),
        nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.ReLU(), nn.Linear(2, 1)),
        nn.Conv1d(1, 1, 3),
    ],
    ids=lambda model: type(model).__name__,
)
def test_other_modules_are_refused_with_the_alternative(model: nn.Module) -> None:
    with pytest.raises(UnsupportedModuleError, match=r"use llr\.model_rank"):
        formal_rank(model)


def test_reparametrised_layers_are_refused() -> None:
    model = TwoLayerTanhMLP(3, width=2)
    nn.utils.parametrizations.weight_norm(model.hidden)
    with pytest.raises(UnsupportedModuleError):
        formal_rank(model)


def test_diagonal_rank_counts_coordinates_with_at_most_one_zero_factor() -> None:
    model = DiagonalNetwork(3, depth=2)
    assert formal_rank(model, params={"theta": torch.tensor([[0.0, 0, 1], [0, 2, 3]])}) == 2
