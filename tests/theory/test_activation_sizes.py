"""Optimistic sample sizes with every activation: closed forms, witnesses, minimality, errors."""

from __future__ import annotations

import os
from fractions import Fraction
from itertools import product
from typing import get_args

import numpy as np
import pytest
import torch
from tests.cases import generic, set_weights
from tests.reference.least_rank import networks_by_function
from tests.theory.targets import Units, other_representation, random_target
from torch import nn

from llr.errors import InvalidInputError, NotExpressibleError
from llr.models import (
    ACTIVATIONS,
    MLP,
    Activation,
    NoShareConv1D,
    SharedConv1D,
    TwoLayerMLP,
)
from llr.theory import explain_rank, formal_rank, optimistic_sample_size
from llr.theory.activations import FLAT_POINTS, ROWS, ZERO_POINTS
from llr.theory.sizes.families._subset_sums import (
    MOST_VECTORS,
    TooManyVectorsError,
    subset_with_sum,
)

NAMES = tuple(name for name in get_args(Activation) if name not in ("tanh", "identity"))
SOAK = bool(os.environ.get("LLR_SOAK"))
MANY = 60 if SOAK else 1


def points(d: int) -> torch.Tensor:
    """Some inputs."""
    return 3 * torch.randn(30, d, generator=torch.Generator().manual_seed(0)).double()


@pytest.mark.parametrize("name", NAMES)
def test_random_targets_have_the_rank_of_their_witness_and_none_below(name: str) -> None:
    for seed in range(MANY):
        target = random_target(name, seed)
        model, params = target.build(name, extra=8)
        size = optimistic_sample_size(model, params)
        x = points(target.d)
        wanted = target.at(name, x)
        found = torch.func.functional_call(model, size.witness, (x,)).reshape(len(x), -1)
        torch.testing.assert_close(found, wanted, atol=1e-8, rtol=1e-8)
        rank = explain_rank(model, params=size.witness).rank
        if size.witness_note:
            assert rank > size.upper
        elif size.value is not None:
            assert rank == size.value, seed
        assert rank <= size.upper or size.witness_note
        ranks = [explain_rank(model, params=params).rank]
        for other in range(2 * seed, 2 * seed + 2):
            same = other_representation(name, target, other)
            torch.testing.assert_close(same.at(name, x), wanted, atol=1e-5, rtol=1e-5)
            ranks.append(explain_rank(same.build(name)[0]).rank)
        assert min(ranks) >= size.lower, (seed, ranks)


@pytest.mark.parametrize("name", NAMES)
def test_generic_targets_cost_what_the_table_says(name: str) -> None:
    d, k = 3, 2
    for hidden_bias, output_bias in product((False, True), (False, True)):
        biases = {"hidden_bias": hidden_bias, "output_bias": output_bias}
        unit = d + 1 + hidden_bias
        if name in ("relu", "leaky_relu", "abs", "cube"):
            unit -= 1
        if name == "exp":
            unit = d + 1
        wanted = k * unit + output_bias
        if name == "square":
            dim = d + hidden_bias
            wanted = k * dim - 1 + output_bias
        size = optimistic_sample_size(TwoLayerMLP(d, width=9, activation=name, **biases), k)
        assert size.value == wanted, biases
    several = optimistic_sample_size(MLP(d, widths=[9], output_dim=3, activation=name), k)
    if name not in ("square", "cube", "hardswish"):
        cost = 3 + d + 1 - (name in ("relu", "leaky_relu", "abs", "exp"))
        assert several.value == k * cost


# A unit z = x_1 + 2 x_2 + 1/2 of R^2 with a hidden bias, and what each affine part adds.
RAMPS = ("softplus", "logsigmoid", "silu", "gelu", "gelu_tanh")


def ramp(activation: str, parts: str, output_bias: bool = False) -> TwoLayerMLP:
    """2 sigma(z), with parts: t turned, o opposite pair, c constant, l a linear part elsewhere."""
    units = [([1.0, 2.0], 0.5, 2.0)]
    if "t" in parts:
        units = [([-1.0, -2.0], -0.5, 2.0)]
    if "o" in parts:
        units += [([-1.0, -2.0], -0.5, 0.75)]
    if "c" in parts:
        units += [([0.0, 0.0], 1.0, 1.5)]
    if "l" in parts:
        units += [([1.0, 0.0], 0.0, 1.0), ([-1.0, 0.0], 0.0, -1.0)]
    model = TwoLayerMLP(2, width=12, activation=activation, output_bias=output_bias)
    padded = units + [([0.0, 0.0], 0.0, 0.0)] * (12 - len(units))
    return set_weights(
        model,
        [w for w, _, _ in padded],
        [a for _, _, a in padded],
        [b for _, b, _ in padded],
    )


@pytest.mark.parametrize("name", [*RAMPS, "relu", "leaky_relu"])
@pytest.mark.parametrize("output_bias", [False, True])
def test_an_affine_part_costs_nothing_or_d_plus_1_or_a_unit_more(
    name: str, output_bias: bool
) -> None:
    unit = 3 if name in ("relu", "leaky_relu") else 4
    affine = 2 if output_bias else 3
    constant = 1 if name in ("silu", "gelu", "gelu_tanh") else 3
    for parts, extra in {
        "": 0,
        "t": 0,
        "o": affine,
        "c": 0 if output_bias else constant,
        "oc": affine,
        "l": affine + unit,
        "tl": affine + unit,
        "loc": affine + unit,
    }.items():
        target = ramp(name, parts, output_bias)
        size = optimistic_sample_size(target, target)
        assert size.value == unit + extra + output_bias, parts
        if size.witness_note:
            assert parts == "c"
            assert explain_rank(target, params=size.witness).rank == size.value + 2
        else:
            assert explain_rank(target, params=size.witness).rank == size.value


@pytest.mark.parametrize("name", ["softplus", "relu"])
def test_affine_targets_have_the_sizes_of_dereich_and_kassing(name: str) -> None:
    model = TwoLayerMLP(2, width=4, activation=name)
    rows = [[1.0, 2.0], [-1.0, -2.0], [0.0, 0.0], [0.0, 0.0]]
    linear = set_weights(model, rows, [1.0, -1.0, 0.0, 0.0], [0.5, -0.5, 0.0, 0.0])
    unit = 3 if name == "relu" else 4
    assert optimistic_sample_size(linear, linear).value == 3 + unit
    constant = set_weights(model, rows, [0.0, 0.0, 1.0, 0.0], [0.5, -0.5, 2.0, 0.0])
    assert optimistic_sample_size(constant, constant).value == 3


def test_a_missing_constant_of_sigmoids_is_a_subset_sum_or_costs_one() -> None:
    model = TwoLayerMLP(2, width=8, activation="sigmoid")
    rows = [[1.0, 2.0], [2.0, 1.0], [3.0, 1.0]]
    null = [[0.0, 0.0]] * 4

    def size(outputs: list[float], opposite: float, k: int) -> int | None:
        weights = [*rows, [-1.0, -2.0], *null]
        values = [*outputs, opposite, 0.0, 0.0, 0.0, 0.0]
        found = optimistic_sample_size(
            model,
            set_weights(
                TwoLayerMLP(2, width=8, activation="sigmoid"),
                weights,
                values,
                [0.5, 0.0, 0.0, -0.5, 0.0, 0.0, 0.0, 0.0],
            ),
        )
        assert formal_rank(model, params=found.witness) == found.value
        assert found.value is not None
        return found.value - k * 4

    assert size([1.0, 0.5, 0.25], 0.0, 3) == 0
    # 2 sigma(z) + a sigma(-z) = (2 - a) sigma(z) + a, and -a = sum over a subset of (2 - a), ...
    assert size([2.0, 0.5, 0.25], 1.0, 3) == 1
    assert size([2.0, -0.5, -0.5], 1.0, 3) == 0
    assert size([1.0, 0.5, 0.25], 1.0, 2) == 1  # the first class cancels and leaves a constant 1


def test_several_sigmoids_share_a_constant_only_in_their_span() -> None:
    model = MLP(2, widths=[6], output_dim=2, activation="sigmoid")
    weight = torch.tensor([[1.0, 2.0], [-1.0, -2.0], [0.0, 0.0]] + [[0.0, 0.0]] * 3)
    bias = torch.tensor([0.5, -0.5, 0.0, 0.0, 0.0, 0.0])
    for opposite, extra in (([1.5, 3.0], 2), ([1.0, 0.0], 4)):
        output = torch.tensor([[2.5, 5.0], opposite] + [[0.0, 0.0]] * 4)
        params = {"layers.0.weight": weight, "layers.0.bias": bias, "layers.1.weight": output.T}
        size = optimistic_sample_size(model, params)
        assert size.value == 5 + extra
        assert formal_rank(model, params=size.witness) == size.value


def test_waves_of_one_frequency_merge() -> None:
    model = TwoLayerMLP(2, width=6, activation="sin")
    rows = [[1.0, 2.0], [-1.0, -2.0], [1.0, 2.0], [3.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    target = set_weights(
        TwoLayerMLP(2, width=6, activation="sin"),
        rows,
        [1.0, 2.0, 3.0, 1.0, 0.0, 0.0],
        [0.5, 0.25, 2.0, 1.0, 0.0, 0.0],
    )
    size = optimistic_sample_size(model, target)
    assert size.value == 2 * 4 == formal_rank(model, params=size.witness)
    constant = set_weights(
        TwoLayerMLP(2, width=6, activation="sin"),
        rows,
        [1.0, 2.0, 3.0, 1.0, 1.0, 0.0],
        [0.5, 0.25, 2.0, 1.0, 1.0, 0.0],
    )
    size = optimistic_sample_size(model, constant)
    assert size.value == 2 * 4 + 1
    assert "irrational" in size.witness_note
    assert "irrational" in repr(size)
    assert formal_rank(model, params=size.witness) == 2 * 4 + 3


def test_amplitudes_of_rank_two_take_two_units() -> None:
    model = MLP(2, widths=[5], output_dim=2, activation="sin")
    weight = torch.tensor([[1.0, 2.0]] * 5)
    bias = torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0])
    for outputs, wanted in (
        ([[1.0, 2.0], [2.0, 4.0]], 2 + 1 + 2),
        ([[1.0, 2.0], [2.0, 1.0]], 2 * 2 + 2 * 2),
    ):
        output = torch.tensor(outputs + [[0.0, 0.0]] * 3).T.contiguous()
        params = {"layers.0.weight": weight, "layers.0.bias": bias, "layers.1.weight": output}
        size = optimistic_sample_size(model, params)
        assert size.value == wanted == formal_rank(model, params=size.witness)


@pytest.mark.parametrize("d", [1, 2, 4])
def test_quadratic_forms_have_the_size_of_their_rank(d: int) -> None:
    for k, hidden_bias, output_bias in product((1, 2, 3), (False, True), (False, True)):
        biases = {"hidden_bias": hidden_bias, "output_bias": output_bias}
        model = TwoLayerMLP(d, width=8, activation="square", **biases)
        dim = d + hidden_bias
        rank = min(k, dim)
        wanted = rank * dim - rank * (rank - 1) // 2 + output_bias
        if hidden_bias and output_bias and k >= d + 1:  # v in the image of A: d squares suffice
            wanted = d * dim - d * (d - 1) // 2 + 1
        size = optimistic_sample_size(model, k)
        assert size.value == wanted == formal_rank(model, params=size.witness)
    # x_1^2 + 1 with both biases: 4, not 6
    model = TwoLayerMLP(2, width=4, activation="square", output_bias=True)
    rows = [[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    target = set_weights(model, rows, [1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0])
    assert optimistic_sample_size(model, target).value == 4


@pytest.mark.parametrize(
    ("d", "k", "wanted"),
    [(2, 2, 4), (3, 2, 6), (3, 3, 9), (2, 3, 4), (3, 4, 10), (4, 4, 16), (5, 7, 34)],
)
def test_cubes_have_the_dimension_of_alexander_and_hirschowitz(d: int, k: int, wanted: int) -> None:
    model = TwoLayerMLP(d, width=9, activation="cube", hidden_bias=False)
    size = optimistic_sample_size(model, k)
    assert size.upper == wanted == formal_rank(model, params=size.witness)
    assert (size.value is not None) == (k <= d or d == 2)
    x_squared_y = set_weights(  # 6 x^2 y = (x + y)^3 - (x - y)^3 - 2 y^3
        TwoLayerMLP(2, width=3, activation="cube", hidden_bias=False),
        [[1.0, 1.0], [1.0, -1.0], [0.0, 1.0]],
        [1.0, -1.0, -2.0],
    )
    size = optimistic_sample_size(x_squared_y, x_squared_y)
    assert (size.lower, size.upper) == (3, 4)


def test_units_whose_knots_meet_keep_bounds() -> None:
    # hardtanh(x) + hardtanh(x - 2) + ... on neighbouring intervals is one unit of half the slope
    model = TwoLayerMLP(1, width=4, activation="hardtanh")
    rows = [[1.0], [1.0], [0.0], [0.0]]
    target = set_weights(model, rows, [1.0, 1.0, 0.0, 0.0], [0.0, -2.0, 0.0, 0.0])
    size = optimistic_sample_size(model, target)
    glued = set_weights(
        TwoLayerMLP(1, width=2, activation="hardtanh"), [[0.5], [0.0]], [2.0, 0.0], [-0.5, 0.0]
    )
    x = points(1)
    torch.testing.assert_close(glued(x), target(x))
    assert size.lower <= formal_rank(glued) < size.upper
    assert "knots meet" in size.lower_theorem


@pytest.mark.parametrize("name", ["arctan", "erf", "softsign", "tanhshrink", "rational"])
def test_odd_convolutions_have_the_sizes_of_tanh(name: str) -> None:
    narrow = generic(SharedConv1D(5, width=2, kernel_size=3, activation=name))
    for cls, wanted in ((SharedConv1D, 14), (NoShareConv1D, 30)):
        model = cls(5, width=8, kernel_size=3, activation=name)
        size = optimistic_sample_size(model, narrow)
        assert size.value == wanted == formal_rank(model, params=size.witness)
        x = points(5)
        found = torch.func.functional_call(model, size.witness, (x,))
        torch.testing.assert_close(found, narrow(x))
    constant = set_weights(
        SharedConv1D(2, width=2, kernel_size=2, activation=name),
        [[1.0, 2.0], [0.0, 0.0]],
        [[1.0], [1.0]],
        [0.5, 1.0],
    )
    size = optimistic_sample_size(constant, constant)
    assert size.value == 4 + (1 if name == "rational" else 3)
    assert formal_rank(constant, params=size.witness) == size.value


@pytest.mark.parametrize("name", ["softplus", "relu", "gaussian", "sin", "elu", "square"])
def test_other_convolutions_have_bounds(name: str) -> None:
    for cls in (SharedConv1D, NoShareConv1D):
        narrow = generic(cls(5, width=2, kernel_size=3, activation=name))
        model = cls(5, width=4, kernel_size=3, activation=name)
        for target in (narrow, narrow.state_dict(), 2, 0):
            size = optimistic_sample_size(model, target)
            assert size.lower <= size.upper == formal_rank(model, params=size.witness)
        size = optimistic_sample_size(model, narrow)
        assert size.upper <= formal_rank(narrow)
        x = points(5)
        torch.testing.assert_close(torch.func.functional_call(model, size.witness, (x,)), narrow(x))
        if name in ("softplus", "gaussian"):
            assert (size.value == size.upper) == (cls is NoShareConv1D)
        with pytest.raises(InvalidInputError, match="model's kind"):
            optimistic_sample_size(model, TwoLayerMLP(5, width=2, activation=name))
        with pytest.raises(NotExpressibleError, match="at least 5 hidden channels"):
            optimistic_sample_size(model, generic(cls(5, width=5, kernel_size=3, activation=name)))


@pytest.mark.parametrize("name", ["relu", "softplus", "silu", "sigmoid", "gaussian", "abs", "exp"])
def test_no_network_on_a_grid_has_a_smaller_rank(name: str) -> None:
    weights, biases = (
        ((1.0, -1.0, 0.0), (0.0, 1.0, -1.0)) if SOAK else ((1.0, -1.0, 0.0), (0, -1.0))
    )
    grid = networks_by_function(
        name, weights, biases, (1.0, -1.0, 2.0, 0.0) if SOAK else (1.0, -1.0), 2
    )
    model = TwoLayerMLP(1, width=2, activation=name)
    wide = TwoLayerMLP(1, width=8, activation=name)
    met = 0
    for networks in grid:
        ranks = [
            formal_rank(
                set_weights(
                    model, [[w] for w, _, _ in n], [a for _, _, a in n], [b for _, b, _ in n]
                )
            )
            for n in networks
        ]
        size = optimistic_sample_size(wide, model.state_dict())
        assert size.value is not None
        assert size.value <= min(ranks), networks
        met += size.value == min(ranks)
    assert met > len(grid) // 2  # most least representations are on the grid


@pytest.mark.parametrize("name", sorted({*FLAT_POINTS, *ZERO_POINTS}))
def test_special_points_are_where_the_table_says(name: str) -> None:
    row = ACTIVATIONS[name]
    if name in FLAT_POINTS:
        at = torch.tensor([FLAT_POINTS[name].bias], dtype=torch.float64)
        assert row.derivative(at).abs() <= (0 if FLAT_POINTS[name].exact else 1e-15)
        assert row.function(at).abs() > 0.1
    if name in ZERO_POINTS:
        at = torch.tensor([ZERO_POINTS[name].bias], dtype=torch.float64)
        assert row.function(at).abs() <= (0 if ZERO_POINTS[name].exact else 1e-15)


def test_subset_sums_are_those_of_all_subsets() -> None:
    draw = np.random.default_rng(0)
    for _ in range(60):
        k, d = draw.integers(0, 9), draw.integers(1, 3)
        vectors = [[Fraction(int(v), 2) for v in draw.integers(-3, 4, d)] for _ in range(k)]
        wanted = [Fraction(int(v), 2) for v in draw.integers(-4, 5, d)]
        sums = [
            [sum((vectors[i][j] for i in range(k) if s[i]), Fraction(0)) for j in range(d)]
            for s in product((0, 1), repeat=int(k))
        ]
        found = subset_with_sum(vectors, wanted)
        assert (found is not None) == (wanted in sums)
        if found is not None:
            assert [sum((vectors[i][j] for i in found), Fraction(0)) for j in range(d)] == wanted


def test_subset_sums_are_searched_up_to_the_stated_number_of_vectors() -> None:
    vectors = [[Fraction(3) ** i] for i in range(MOST_VECTORS + 1)]
    wanted = [vectors[0][0] + vectors[7][0] + vectors[30][0]]
    assert subset_with_sum(vectors[:MOST_VECTORS], wanted) == [0, 7, 30]
    assert subset_with_sum(vectors[:MOST_VECTORS], [Fraction(2)]) is None
    with pytest.raises(TooManyVectorsError):
        subset_with_sum(vectors, wanted)
    k = MOST_VECTORS + 1
    rows = [[1.0 + i] for i in range(k)]
    target = set_weights(
        TwoLayerMLP(1, width=k + 1, activation="sigmoid", hidden_bias=False),
        [*rows, [-1.0]],
        [1.0 + 0.5**i for i in range(k)] + [0.75],
    )
    size = optimistic_sample_size(
        TwoLayerMLP(1, width=k + 3, activation="sigmoid", hidden_bias=False), target
    )
    assert (size.lower, size.upper) == (2 * k, 2 * k + 1)
    assert f"searched up to {MOST_VECTORS}" in size.lower_theorem


def test_constants_that_no_theorem_decides_are_stated() -> None:
    # 3 arctan 1 = arctan 2 + arctan 3
    target = set_weights(
        TwoLayerMLP(2, width=3, activation="arctan"),
        [[0.0, 0.0]] * 3,
        [3.0, -1.0, -1.0],
        [1.0, 2.0, 3.0],
    )
    size = optimistic_sample_size(target, target)
    assert size.value == 0
    assert "no theorem decides" in size.assumes[0]
    other = set_weights(
        TwoLayerMLP(2, width=3, activation="arctan"),
        [[0.0, 0.0]] * 3,
        [3.0, -1.0, 1.0],
        [1.0, 2.0, 3.0],
    )
    size = optimistic_sample_size(target, other)
    assert (size.value, size.assumes) == (3, ())


def test_targets_out_of_reach_say_why() -> None:
    narrow = TwoLayerMLP(2, width=1, activation="softplus")
    with pytest.raises(NotExpressibleError, match="at least 3 hidden neurons"):
        optimistic_sample_size(narrow, ramp("softplus", "l"))
    with pytest.raises(NotExpressibleError, match="Build the model with hidden_bias=True"):
        optimistic_sample_size(
            TwoLayerMLP(2, width=3, activation="softplus", hidden_bias=False), ramp("softplus", "")
        )
    with pytest.raises(InvalidInputError, match=r"model's activation, as .*'relu'"):
        optimistic_sample_size(TwoLayerMLP(2, width=3, activation="relu"), ramp("softplus", ""))
    with pytest.raises(InvalidInputError, match="input size and output size"):
        optimistic_sample_size(TwoLayerMLP(3, width=3, activation="relu"), ramp("relu", ""))
    constant = set_weights(TwoLayerMLP(2, width=1, activation="silu"), [[0.0, 0.0]], [1.0], [1.0])
    with pytest.raises(NotExpressibleError, match="an output bias or hidden biases"):
        optimistic_sample_size(
            TwoLayerMLP(2, width=3, activation="silu", hidden_bias=False), constant
        )


def test_models_without_biases_take_what_biases_only_rescale() -> None:
    wave = Units(1, 1, True, False, [([2.0], 0.5, [1.0]), ([2.0], -0.5, [1.0])])
    model = TwoLayerMLP(1, width=3, activation="sin", hidden_bias=False)
    size = optimistic_sample_size(model, wave.build("sin")[0])  # 2 cos(1/2) sin(2 x)
    assert size.value == 2 == formal_rank(model, params=size.witness)
    wave.units.pop()
    alone = wave.build("sin")[0]
    with pytest.raises(NotExpressibleError, match="another phase"):
        optimistic_sample_size(model, alone)
    grows = Units(1, 1, True, False, [([2.0], 0.5, [1.0])])
    model = TwoLayerMLP(1, width=3, activation="exp", hidden_bias=False)
    assert optimistic_sample_size(model, grows.build("exp")[0]).value == 2


def test_sequential_and_vector_valued_networks_are_sized_alike() -> None:
    module = nn.Sequential(nn.Linear(3, 7), nn.GELU(), nn.Linear(7, 1)).double()
    assert optimistic_sample_size(module, 2).value == 2 * 5 + 1
    module = nn.Sequential(nn.Linear(3, 7), nn.ReLU(), nn.Linear(7, 4)).double()
    size = optimistic_sample_size(module, 2)
    assert size.value == 2 * (4 + 3) + 4
    assert formal_rank(module, params=size.witness) == size.value
    assert optimistic_sample_size(module, module).value == 7 * 7 + 4


def test_every_row_has_a_family() -> None:
    for name in ROWS:
        model = TwoLayerMLP(2, width=3, activation=name)
        assert optimistic_sample_size(model, 1).upper > 0
