"""Exact ranks, irreducible forms and optimistic sizes of deep tanh and sigmoid networks."""

from __future__ import annotations

import json
import random

import pytest
import torch
from tests.effort import cases
from tests.reference.deep_rank import definition_rank
from tests.theory.deep_networks import DeepNetwork, mlp_of, random_deep_network
from torch import nn
from torch.func import functional_call

from llr import formal_rank, intrinsic_form, model_rank, optimistic_sample_size
from llr.errors import InvalidInputError, NotExpressibleError, UnsupportedModuleError
from llr.models import MLP, TwoLayerTanhMLP, initialize
from llr.seeds import generator
from llr.theory import DeepIntrinsicForm

MANY = cases(120, soak=2000)
"""Random networks for each comparison."""


def inputs(model: nn.Module, n: int = 20) -> torch.Tensor:
    first = next(m for m in model.modules() if isinstance(m, nn.Linear))
    return torch.randn(n, first.in_features, generator=generator(0, "probe"), dtype=torch.float64)


def layers_of(model: nn.Module) -> list[nn.Linear]:
    return [m for m in model.modules() if isinstance(m, nn.Linear)]


# --- Ranks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_random_degenerate_networks_have_the_rank_of_the_definition(activation: str) -> None:
    deficient = 0
    for seed in range(MANY):
        network = random_deep_network(seed)
        true = definition_rank(network.weights, network.biases, activation)
        assert formal_rank(network.module(activation)) == true, (seed, network)
        deficient += true < network.n_parameters
    assert deficient > MANY / 2  # the comparison is about degenerate points


def test_generic_networks_have_full_rank_at_every_depth() -> None:
    for depth in range(2, 7):
        model = MLP(3, widths=[4] * (depth - 1), output_dim=2, output_bias=True)
        assert formal_rank(initialize(model, std=1.0, generator=generator(depth, "init"))) == sum(
            parameter.numel() for parameter in model.parameters()
        )


@pytest.mark.parametrize("seed", range(20))
def test_measured_and_exact_rank_agree_where_float64_can_see_it(seed: int) -> None:
    network = random_deep_network(1000 + seed)
    model = network.module()
    measured = model_rank(model)
    if measured.verdict == "clear" and measured.rank < network.n_parameters:
        assert measured.rank == formal_rank(model)


def test_a_multiple_of_a_unit_is_another_function_and_a_flipped_unit_is_not() -> None:
    weights = [[[1.0], [3.0]], [[1.0, -2.0], [0.5, 1.0]], [[1.0, 1.0]]]
    network = DeepNetwork(weights, [[0.5, 1.5], [0.0, 0.25], None])
    assert formal_rank(network.module()) == network.n_parameters
    flipped = DeepNetwork([[[1.0], [-1.0]], *weights[1:]], [[0.5, -0.5], [0.0, 0.25], None])
    # One class in layer 1, with rho = 2: 2 weights into the output, 2 (1 + 1) weights and biases of
    # layer 2, 2 (1 + 1) of layer 1.
    assert formal_rank(flipped.module()) == definition_rank(flipped.weights, flipped.biases) == 10


def test_units_that_become_equal_once_lower_units_are_merged_are_found() -> None:
    # Layer 1 has one function twice; the two units of layer 2 differ only in how they split it.
    weights = [[[1.0, 2.0], [1.0, 2.0]], [[1.0, 0.5], [0.25, 1.25]], [[1.0, 2.0]]]
    network = DeepNetwork(weights, [[0.5, 0.5], [1.0, 1.0], None])
    model = network.module()
    assert formal_rank(model) == definition_rank(weights, network.biases)
    form = intrinsic_form(model)
    assert isinstance(form, DeepIntrinsicForm)
    assert form.widths == (1, 1)


def test_sums_of_weights_are_added_without_rounding() -> None:
    # (1 + 2^-60) - 1 is 0 in float64 and 2^-60 in truth.
    tiny = 2.0**-60
    weights = [[[1.0], [1.0], [1.0]], [[1.0, tiny, -1.0]], [[1.0]]]
    network = DeepNetwork(weights, [None, None, None])
    assert formal_rank(network.module()) == definition_rank(weights, network.biases) == 3
    cancelled = DeepNetwork([weights[0], [[1.0, 0.0, -1.0]], [[1.0]]], [None, None, None])
    # The unit of layer 2 computes 0; its weight's columns are one function.
    assert formal_rank(cancelled.module()) == definition_rank(cancelled.weights, cancelled.biases)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_constants_of_lower_units_enter_exactly(activation: str) -> None:
    found = 0
    for seed in range(MANY // 2):
        draw = random.Random(seed)
        network = random_deep_network(50_000 + seed)
        for weight in network.weights[:-1]:  # one constant unit in every hidden layer
            weight[draw.randrange(len(weight))] = [0.0] * len(weight[0])
        true = definition_rank(network.weights, network.biases, activation)
        assert formal_rank(network.module(activation)) == true, (seed, network)
        found += true > 1
    assert found > MANY / 5


def test_tied_layers_have_the_rank_of_the_definition() -> None:
    for seed in range(MANY // 2):
        draw = random.Random(seed)
        size, depth = draw.choice([1, 2, 2]), draw.choice([3, 4])

        def numbers(count: int, draw: random.Random = draw) -> list[float]:
            return [draw.randrange(-4, 5) / 2 for _ in range(count)]

        shared = nn.Linear(size, size, bias=draw.random() < 0.7, dtype=torch.float64)
        last = nn.Linear(size, 1, dtype=torch.float64)
        with torch.no_grad():
            for parameter in (*shared.parameters(), *last.parameters()):
                values = torch.tensor(numbers(parameter.numel()), dtype=torch.float64)
                parameter.copy_(values.reshape(parameter.shape))
        model = nn.Sequential(*[m for _ in range(depth - 1) for m in (shared, nn.Tanh())], last)
        weights = [shared.weight.tolist()] * (depth - 1) + [last.weight.tolist()]
        bias = None if shared.bias is None else shared.bias.tolist()
        slots = ["shared"] * (depth - 1) + ["last"]
        true = definition_rank(
            weights, [*[bias] * (depth - 1), last.bias.tolist()], "tanh", slots=slots
        )
        assert formal_rank(model) == true, (seed, weights, bias)


def test_frozen_parameters_are_constants() -> None:
    model = initialize(
        MLP(2, widths=[3, 2], output_bias=True), std=1.0, generator=generator(3, "init")
    )
    for linear, frozen, rank in ((0, "weight", 20 - 6), (1, "bias", 20 - 2), (2, "weight", 20 - 2)):
        parameter = getattr(layers_of(model)[linear], frozen)
        parameter.requires_grad_(False)
        assert formal_rank(model) == rank == model_rank(model).rank
        parameter.requires_grad_(True)


def test_a_network_too_large_for_a_matrix_with_tied_layers_is_refused_by_name() -> None:
    shared = nn.Linear(60, 60, dtype=torch.float64)
    model = nn.Sequential(
        shared, nn.Tanh(), shared, nn.Tanh(), nn.Linear(60, 1, dtype=torch.float64)
    )
    with pytest.raises(InvalidInputError, match="tied layers must be small"):
        formal_rank(model)


def test_other_deep_activations_are_refused() -> None:
    with pytest.raises(UnsupportedModuleError, match="model_rank"):
        formal_rank(MLP(2, widths=[3, 3], activation="softplus"))


# --- Irreducible forms ----------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_the_irreducible_form_is_the_same_function_with_independent_tangent_functions(
    activation: str,
) -> None:
    reduced = 0
    for seed in range(MANY):
        network = random_deep_network(seed)
        model = network.module(activation)
        form = intrinsic_form(model)
        if not isinstance(form, DeepIntrinsicForm):
            continue  # two layers, one output: the other form
        x = inputs(model)
        torch.testing.assert_close(form.model(x), model(x), rtol=1e-9, atol=1e-9)
        reduced += form.widths < tuple(len(w) for w in network.weights[:-1])
        if form.widths[-1] and form.exact:
            size = sum(p.numel() for p in form.model.parameters())
            assert formal_rank(form.model) == size, seed
            again = intrinsic_form(form.model)
            if isinstance(again, DeepIntrinsicForm):
                assert again.widths == form.widths
        if activation == "tanh":  # irreducible if and only if all columns are independent
            full = formal_rank(model) == network.n_parameters
            same = form.widths == tuple(len(w) for w in network.weights[:-1])
            assert full == (same and form.widths[-1] > 0), seed
    assert reduced > MANY / 4


def test_every_unit_has_a_fate() -> None:
    weights = [
        [[1.0, 2.0], [-1.0, -2.0], [0.0, 0.0], [3.0, 1.0]],
        [[1.0, 1.0, 1.0, 0.0], [2.0, 0.0, 1.0, 0.0]],
        [[1.0, 1.0]],
    ]
    network = DeepNetwork(weights, [[0.5, -0.5, 1.0, 0.0], [0.0, 0.0], None])
    form = intrinsic_form(network.module())
    assert isinstance(form, DeepIntrinsicForm)
    fates = {(unit.layer, unit.unit): (unit.fate, unit.neuron, unit.sign) for unit in form.report}
    assert fates == {
        (1, 0): ("kept", 0, 1),
        (1, 1): ("merged", 0, -1),
        (1, 2): ("constant", None, 1),
        (1, 3): ("dropped", None, 1),
        (2, 0): ("constant", None, 1),  # its two equal inputs cancel, the constant one stays
        (2, 1): ("kept", 0, 1),
    }
    assert not form.exact  # tanh(1) is no floating-point number
    assert json.loads(form.to_json())["units"] == 6
    assert "unit 0 - unit 1" in repr(form)
    assert form._repr_html_().startswith("<pre>")


def test_tol_is_for_two_layer_networks() -> None:
    with pytest.raises(InvalidInputError, match="exactly equal"):
        intrinsic_form(MLP(2, widths=[3, 3]), tol=1e-3)
    with pytest.raises(UnsupportedModuleError, match="different shapes"):
        intrinsic_form(MLP(2, widths=[3, 3], activation="softplus"))


# --- Optimistic sample sizes ----------------------------------------------------------------


def wider(network: DeepNetwork, pattern: list[bool], activation: str) -> nn.Sequential:
    """A model with two more units in every hidden layer."""
    sizes = [len(network.weights[0][0]), *(len(w) + 2 for w in network.weights[:-1])]
    sizes.append(len(network.weights[-1]))
    weights = [[[0.0] * sizes[l] for _ in range(sizes[l + 1])] for l in range(len(network.weights))]
    biases = [[0.0] * sizes[l + 1] if b else None for l, b in enumerate(pattern)]
    return DeepNetwork(weights, biases).module(activation)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_sizes_are_the_ranks_of_witnesses_and_no_representation_is_below(activation: str) -> None:
    exact = 0
    for seed in range(MANY):
        network, draw = random_deep_network(seed), random.Random(seed)
        target, depth = network.module(activation), len(network.weights)
        pattern = [b is not None for b in network.biases]
        same = activation == "sigmoid" or draw.random() < 0.5
        if activation == "sigmoid":
            pattern = [pattern[0], *[True] * (depth - 1)]
        elif not same:
            pattern = [b and draw.random() < 0.6 for b in pattern]
        model = wider(network, pattern, activation)
        try:
            size = optimistic_sample_size(model, target)
        except NotExpressibleError:
            assert not same
            continue
        expressed = functional_call(model, size.witness, (inputs(model),))
        torch.testing.assert_close(expressed, target(inputs(model)), rtol=1e-9, atol=1e-9)
        rank = formal_rank(model, params=size.witness)
        if size.value is None:
            assert size.lower <= rank <= size.upper
        else:
            assert size.value == rank, (seed, network)
            exact += 1
        if pattern == [b is not None for b in network.biases]:
            assert formal_rank(target) >= size.lower  # the target is a representation itself
    assert exact > 0.8 * MANY


def test_random_wide_representations_are_never_below_the_size() -> None:
    draw = random.Random(0)
    for seed in range(MANY // 4):
        network = random_deep_network(seed, degenerate=False)
        target = network.module()
        size = optimistic_sample_size(target, target)
        for _ in range(4):
            wide = split_units(network, draw)
            torch.testing.assert_close(wide.module()(inputs(target)), target(inputs(target)))
            assert formal_rank(wide.module()) >= size.lower


def split_units(network: DeepNetwork, draw: random.Random) -> DeepNetwork:
    """The same function, one more unit in each hidden layer: a copy, its flip, or a dead one."""
    weights = [[list(row) for row in weight] for weight in network.weights]
    biases = [None if bias is None else list(bias) for bias in network.biases]
    for l in range(len(weights) - 1):
        unit, kind = draw.randrange(len(weights[l])), draw.choice(["split", "flip", "dead"])
        sign = -1.0 if kind == "flip" else 1.0
        weights[l].append([sign * v + (kind == "dead") for v in weights[l][unit]])
        bias = biases[l]
        if bias is not None:
            bias.append(sign * bias[unit])
        for row in weights[l + 1]:
            share = 0.0 if kind == "dead" else draw.choice([0.5, 2.0, 0.25]) * row[unit]
            row[unit] -= share
            row.append(sign * share)
    return DeepNetwork(weights, biases)


def test_the_printed_bound_is_the_value_for_three_layers_and_more() -> None:
    narrow = initialize(MLP(3, widths=[2, 2]), std=1.0, generator=generator(0, "target"))
    size = optimistic_sample_size(MLP(3, widths=[50, 40]), narrow)
    assert size.value == 3 * 2 + 2 + 2 * 2 + 2 + 2
    assert size.published is not None
    assert size.published.value == size.value
    assert "not peer reviewed" in size.assumes[0]
    assert "assumes" in repr(size)


def test_a_target_is_reduced_before_it_is_counted() -> None:
    narrow = initialize(MLP(3, widths=[2, 2]), std=1.0, generator=generator(0, "target"))
    doubled = MLP(3, widths=[4, 2])
    state = narrow.state_dict()
    doubled.load_state_dict(
        {
            "layers.0.weight": state["layers.0.weight"].repeat(2, 1),
            "layers.0.bias": state["layers.0.bias"].repeat(2),
            "layers.1.weight": state["layers.1.weight"].repeat(1, 2) / 2,
            "layers.1.bias": state["layers.1.bias"],
            "layers.2.weight": state["layers.2.weight"],
        }
    )
    model = MLP(3, widths=[9, 9])
    assert optimistic_sample_size(model, doubled).value == 16
    assert optimistic_sample_size(model, narrow).value == 16


def test_models_that_are_too_narrow_or_lack_a_bias_cannot_express_the_target() -> None:
    narrow = initialize(MLP(3, widths=[3, 2]), std=1.0, generator=generator(0, "target"))
    with pytest.raises(NotExpressibleError, match="widths of at least"):
        optimistic_sample_size(MLP(3, widths=[2, 9]), narrow)
    with pytest.raises(NotExpressibleError, match="no bias in layer 1"):
        optimistic_sample_size(MLP(3, widths=[9, 9], hidden_bias=False), narrow)


@pytest.mark.parametrize("output_dim", [1, 2])
def test_a_missing_output_bias_costs_a_constant_unit(output_dim: int) -> None:
    target = MLP(3, widths=[2, 2], output_dim=output_dim, output_bias=True)
    initialize(target, std=1.0, generator=generator(0, "target"))
    model = MLP(3, widths=[9, 9], output_dim=output_dim)
    size = optimistic_sample_size(model, target)
    inner = 3 * 2 + 2 + 2 * 2 + 2 + 2 * output_dim
    assert size.value == inner + output_dim + 2  # c for the constant, m_1 for the unit's inputs
    assert formal_rank(model, params=size.witness) == size.value


def test_constant_functions() -> None:
    constant = MLP(3, widths=[1, 1], output_bias=True)
    for parameter in constant.parameters():
        nn.init.zeros_(parameter)
    nn.init.constant_(layers_of(constant)[-1].bias, 0.5)
    for model, value in (
        (MLP(3, widths=[4, 4], output_bias=True), 1),
        (MLP(3, widths=[4, 4]), 1),
        (MLP(3, widths=[4], output_dim=1, output_bias=True, activation="sigmoid"), 1),
    ):
        target = constant
        if len(model.widths) == 1:
            target = MLP(3, widths=[1], output_bias=True, activation="sigmoid")
            for parameter in target.parameters():
                nn.init.zeros_(parameter)
            nn.init.constant_(layers_of(target)[-1].bias, 0.5)
        size = optimistic_sample_size(model, target)
        assert size.value == value == formal_rank(model, params=size.witness)
    assert optimistic_sample_size(MLP(3, widths=[4, 4]), 0).value == 0
    with pytest.raises(NotExpressibleError):
        optimistic_sample_size(MLP(3, widths=[4, 4], hidden_bias=False), constant)


def test_two_layers_with_several_outputs_are_exact() -> None:
    target = initialize(
        MLP(3, widths=[2], output_dim=2, output_bias=True),
        std=1.0,
        generator=generator(0, "target"),
    )
    size = optimistic_sample_size(MLP(3, widths=[9], output_dim=2, output_bias=True), target)
    assert size.value == 2 * (3 + 1 + 2) + 2
    assert size.assumes == ()


def test_the_deep_algorithm_gives_the_two_layer_numbers() -> None:
    for seed in range(20):
        model = initialize(TwoLayerTanhMLP(2, width=3), std=1.0, generator=generator(seed, "init"))
        twin = nn.Sequential(
            nn.Linear(2, 3, dtype=torch.float64), nn.Tanh(), nn.Linear(3, 2, dtype=torch.float64)
        )
        assert formal_rank(model) == 12
        assert formal_rank(twin) == 3 * (2 + 1 + 2) + 2


def test_the_library_mlp_and_sequential_agree() -> None:
    for seed in range(MANY // 2):
        network = random_deep_network(seed)
        model = mlp_of(network)
        if model is not None:
            assert formal_rank(model) == formal_rank(network.module())
