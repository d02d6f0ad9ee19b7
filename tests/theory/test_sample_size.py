"""Optimistic sample sizes: the papers' numbers, witnesses, minimality, and errors that say why."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.cases import CASES, PAPER_RANKS, SCALES, generic, paper_target, set_weights
from tests.theory.networks import FAMILIES, degenerate_networks
from torch import Tensor, nn

from llr.data import PAPER_MATRICES, make_target
from llr.errors import InvalidInputError, NotExpressibleError, UnsupportedModuleError
from llr.models import (
    MLP,
    AbstractTwoLayerTanh,
    DiagonalNetwork,
    DifferenceOfSquares,
    MatrixFactorization,
    NoShareTanhConv1D,
    NoShareTanhConv2D,
    PaperTeacherMLP,
    SharedTanhConv1D,
    SharedTanhConv2D,
    ToyLinear,
    ToyNonlinear,
    TwoLayerTanhMLP,
    two_layer_structure,
)
from llr.theory import SampleSize, formal_rank, intrinsic_form, optimistic_sample_size
from llr.theory.sizes._set_cover import least_covers


def inputs(model: nn.Module, n: int = 6) -> Tensor:
    """A few normal inputs."""
    shape = getattr(model, "input_shape", None) or (model.in_features,)
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(0)).double()


def assert_attained(model: nn.Module, size: SampleSize, target: nn.Module) -> None:
    """The witness expresses the target and has the rank that is claimed."""
    assert formal_rank(model, params=size.witness) == size.upper
    expressed = torch.func.functional_call(model, size.witness, (inputs(model),))
    wanted = target(inputs(model).reshape(-1, *target.input_shape))
    torch.testing.assert_close(expressed, wanted, atol=1e-11, rtol=1e-11)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("architecture", "hidden_bias", "output_bias"), PAPER_RANKS)
def test_the_papers_target_has_the_twelve_numbers_at_every_scale(
    architecture: str, hidden_bias: bool, output_bias: bool, scale: int
) -> None:
    model = paper_target(architecture, scale, hidden_bias, output_bias)
    size = optimistic_sample_size(model, PaperTeacherMLP())
    assert size.value == PAPER_RANKS[architecture, hidden_bias, output_bias]
    assert size.published is not None
    assert (size.published.value, size.published.note) == (size.value, "")
    assert_attained(model, size, PaperTeacherMLP())


def test_kernels_that_share_neurons_need_fewer_samples_than_theorem_5_says() -> None:
    target = CASES["shared-kernels-that-share-neurons"].build()
    size = optimistic_sample_size(
        SharedTanhConv1D(5, width=7, kernel_size=3, hidden_bias=False), target
    )
    assert size.value == 10
    assert size.published is not None
    assert size.published.value == 12
    assert "the 2 kernels share neurons and have 4 in all, not 6" in size.published.note
    unshared = NoShareTanhConv1D(5, width=7, kernel_size=3, hidden_bias=False)
    size = optimistic_sample_size(unshared, target)
    assert size.value == 4 * (3 + 1)
    assert size.published is not None
    assert size.published.value == 24
    assert "the target has 4" in size.published.note
    assert_attained(unshared, size, target)


def test_a_kernel_with_room_inside_is_placed_where_its_neurons_are() -> None:
    # One neuron (1, 2): two places inside a kernel of length 3, one kernel is enough.
    target = set_weights(TwoLayerTanhMLP(5, width=1, hidden_bias=False), [[0, 0, 1, 2, 0]], [1])
    model = SharedTanhConv1D(5, width=1, kernel_size=3, hidden_bias=False)
    size = optimistic_sample_size(model, target)
    assert size.value == 6
    assert_attained(model, size, target)


def test_coordinatewise_tanh_costs_less_than_its_kernels() -> None:
    rows = torch.eye(5).tolist()
    target = set_weights(TwoLayerTanhMLP(5, width=5, hidden_bias=False), rows, [1, 2, 3, 4, 5])
    model = SharedTanhConv1D(5, width=3, kernel_size=3, hidden_bias=False)
    size = optimistic_sample_size(model, target)
    # Two kernels, at offsets 0 and 2 of the 3, reach all 5 neurons: 5 + 2 * 3.
    assert size.value == 11
    assert size.published is not None
    assert size.published.value == 12
    assert_attained(model, size, target)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("output_bias", [False, True])
def test_a_constant_part_is_free_with_an_output_bias_and_forces_a_unit_without(
    family: str, output_bias: bool
) -> None:
    model = FAMILIES[family](3, 2, 2, hidden_bias=True, output_bias=output_bias)
    structure = model.structure
    kernels = torch.zeros(2, structure.kernels_per_channel, structure.window_size)
    kernels[0] = torch.arange(1.0, structure.window_size + 1)
    bias = torch.zeros(2, structure.kernels_per_channel)
    bias[1] = 0.5
    output = torch.ones(2, structure.positions)
    target = set_weights(
        FAMILIES[family](3, 2, 2, hidden_bias=True, output_bias=False),
        kernels.tolist(),
        output.tolist(),
        bias.tolist(),
    )
    alone = set_weights(
        FAMILIES[family](3, 2, 2, hidden_bias=True, output_bias=False),
        kernels.tolist(),
        (output * torch.tensor([[1.0], [0.0]])).tolist(),
        bias.tolist(),
    )
    size = optimistic_sample_size(model, target)
    without = optimistic_sample_size(model, alone)
    assert size.value is not None
    assert without.value is not None
    extra = 0 if output_bias else 1 + structure.window_size
    assert size.value == without.value + extra
    assert size.published is not None
    assert bool(size.published.note) != output_bias
    assert_attained(model, size, target)


def test_a_constant_alone_is_expressible_in_every_network_with_biases() -> None:
    target = set_weights(TwoLayerTanhMLP(4, width=1), [[0, 0, 0, 0]], [3], bias=[0.5])
    for model, wanted in [
        (TwoLayerTanhMLP(4, width=1), 1 + 4),
        (SharedTanhConv1D(4, width=1, kernel_size=2), 1 + 2),
        (NoShareTanhConv1D(4, width=1, kernel_size=2), 1 + 2),
        (TwoLayerTanhMLP(4, width=1, hidden_bias=False, output_bias=True), 1),
    ]:
        size = optimistic_sample_size(model, target)
        assert size.value == wanted
        assert_attained(model, size, target)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("output_bias", [False, True])
def test_the_zero_function_needs_no_samples_or_one(family: str, output_bias: bool) -> None:
    model = FAMILIES[family](3, 2, 2, hidden_bias=True, output_bias=output_bias)
    size = optimistic_sample_size(model, 0)
    assert size.value == int(output_bias)
    assert size.target == "the zero function"


@settings(max_examples=150)
@given(degenerate_networks(most_parameters=90))
def test_the_witness_attains_the_size_and_the_network_itself_is_above_it(
    target: AbstractTwoLayerTanh,
) -> None:
    size = optimistic_sample_size(target, target)
    assert size.value is not None
    assert size.value <= formal_rank(target) <= size.n_parameters
    assert_attained(target, size, target)


@settings(max_examples=150)
@given(degenerate_networks(most_parameters=60), st.integers(0, 2**32))
def test_no_representation_has_a_smaller_rank(target: AbstractTwoLayerTanh, seed: int) -> None:
    """Random representations in a model three times as wide, by splitting and cancelling."""
    structure = target.structure
    stream = torch.Generator().manual_seed(seed)
    biases = {"hidden_bias": structure.hidden_bias, "output_bias": structure.output_bias}
    kind = next(name for name, build in FAMILIES.items() if type(build(3, 1, 1)) is type(target))
    d = structure.input_shape[0]
    s = round(structure.window_size ** (1 / len(structure.input_shape)))
    wide = FAMILIES[kind](d, 3 * structure.channels, s, **biases)
    given_weights = structure.unpack({n: p.detach() for n, p in target.named_parameters()})
    c, p = structure.channels, structure.positions
    spread = torch.randint(-2, 3, (c, p), generator=stream).double()
    # Copies of every channel, some shifted: output weights x, a - x, and 0 for the shifted ones.
    kernels = torch.cat([given_weights.kernels] * 2 + [given_weights.kernels.roll(1, dims=-1)])
    output = torch.cat([given_weights.output - spread, spread, torch.zeros(c, p).double()])
    bias = given_weights.kernel_bias
    params = wide.structure.pack(
        given_weights._replace(
            kernels=kernels, kernel_bias=None if bias is None else bias.repeat(3, 1), output=output
        )
    )
    size = optimistic_sample_size(wide, target)
    assert size.value is not None
    assert formal_rank(wide, params=params) >= size.value
    # Width never raises the size (Cor. 6).
    narrow = optimistic_sample_size(target, target)
    assert narrow.value is not None
    assert size.value <= narrow.value


@settings(max_examples=100)
@given(degenerate_networks(most_parameters=60))
def test_locality_saves_the_weights_outside_the_window(target: AbstractTwoLayerTanh) -> None:
    structure = target.structure
    assume(structure.positions > 1)
    d = structure.input_shape[0]
    s = round(structure.window_size ** (1 / len(structure.input_shape)))
    biases = {"hidden_bias": structure.hidden_bias, "output_bias": structure.output_bias}
    unshared = NoShareTanhConv1D if len(structure.input_shape) == 1 else NoShareTanhConv2D
    local = optimistic_sample_size(unshared(d, width=30, kernel_size=s, **biases), target).value
    full = optimistic_sample_size(
        TwoLayerTanhMLP(structure.input_size, width=60, **biases), target
    ).value
    assert local is not None
    assert full is not None
    form = intrinsic_form(target)
    units = form.width + (form.constant != 0 and not structure.output_bias)
    assert full - local == units * (structure.input_size - structure.window_size)


def test_two_equal_networks_in_different_clothes_have_one_size() -> None:
    target = generic(SharedTanhConv2D(4, width=2, kernel_size=2))
    flat = intrinsic_form(target).model
    for model in (
        SharedTanhConv2D(4, width=3, kernel_size=2),
        NoShareTanhConv2D(4, width=3, kernel_size=2),
        TwoLayerTanhMLP(16, width=30),
    ):
        a, b = optimistic_sample_size(model, target), optimistic_sample_size(model, flat)
        assert a.value == b.value
        assert_attained(model, a, target)


@pytest.mark.parametrize(
    "model",
    [
        TwoLayerTanhMLP(4, width=5),
        SharedTanhConv1D(4, width=5, kernel_size=2, output_bias=True),
        NoShareTanhConv2D(3, width=5, kernel_size=2, hidden_bias=False),
    ],
    ids=lambda model: type(model).__name__,
)
def test_an_integer_and_a_state_dict_name_targets_too(model: AbstractTwoLayerTanh) -> None:
    by_width = optimistic_sample_size(model, 2)
    state = by_width.witness
    assert optimistic_sample_size(model, state).value == by_width.value
    structure = model.structure
    narrow = {
        name: value[:, : 2 * structure.positions] if name == "output.weight" else value[:2]
        for name, value in state.items()
    }
    assert optimistic_sample_size(model, narrow).value == by_width.value


def test_a_state_dict_without_biases_is_one_with_zero_biases() -> None:
    target = PaperTeacherMLP()
    model = TwoLayerTanhMLP(5, width=4, output_bias=True)
    assert optimistic_sample_size(model, dict(target.state_dict())).value == 22


def test_covers_are_the_cheapest_ones() -> None:
    stream = torch.Generator().manual_seed(0)
    for _ in range(60):
        member = torch.rand(7, 10, generator=stream) < 0.35
        sets = [sum(1 << j for j in range(10) if row[j]) or 1 for row in member.tolist()]
        union = 0
        for s in sets:
            union |= s
        price = int(torch.randint(1, 5, (), generator=stream))
        best: dict[int, int] = {}
        for count in range(8):
            for chosen in itertools.combinations(sets, count):
                covered = 0
                for s in chosen:
                    covered |= s
                if covered == union:
                    cost = covered.bit_count() + price * count
                    best[count] = min(cost, best.get(count, cost))
        found = least_covers(union, sets, price)
        covers = found.options
        assert found.complete
        assert found.bound == covers[-1].cost
        assert covers[0].cost == best[min(best)]
        assert len(covers[0].chosen) == min(best)
        assert covers[-1].cost == min(best.values())


def pixels(d: int, share: float) -> TwoLayerTanhMLP:
    """tanh of a random share of the pixels of a d x d image, added up."""
    lit = torch.rand(d * d, generator=torch.Generator().manual_seed(0)) < share
    rows = torch.eye(d * d)[lit].tolist()
    return set_weights(
        TwoLayerTanhMLP(d * d, width=len(rows), hidden_bias=False), rows, [1.0] * len(rows)
    )


def test_single_pixels_under_large_kernels_are_covered_at_the_least_cost() -> None:
    # 3 x 3 positions of kernels of side 7: the pixels of a 9 x 9 image fall into 7 x 7 kernels.
    model = SharedTanhConv2D(9, width=60, kernel_size=7, hidden_bias=False)
    target = pixels(9, 0.5)
    size = optimistic_sample_size(model, target)
    assert size.value is not None
    assert_attained(model, size, target)


def test_a_covering_problem_too_large_gives_honest_bounds() -> None:
    model = SharedTanhConv2D(18, width=120, kernel_size=16, hidden_bias=False)
    target = pixels(18, 0.4)
    size = optimistic_sample_size(model, target)
    assert size.value is None
    assert intrinsic_form(target).width < size.lower < size.upper < size.n_parameters
    assert_attained(model, size, target)
    assert size.published is not None
    assert "not settled" in size.published.note
    narrow = SharedTanhConv2D(18, width=20, kernel_size=16, hidden_bias=False)
    with pytest.raises(NotExpressibleError, match="with 20 kernels was found, one with"):
        optimistic_sample_size(narrow, target)


# --- Targets out of reach -------------------------------------------------------------------


def test_a_model_that_is_too_narrow_says_how_wide_it_must_be() -> None:
    with pytest.raises(NotExpressibleError, match=r"at least 3 hidden neurons.*got 2"):
        optimistic_sample_size(TwoLayerTanhMLP(5, width=2), PaperTeacherMLP())
    two_kernels = generic(SharedTanhConv1D(5, width=2, kernel_size=3))
    with pytest.raises(NotExpressibleError, match=r"at least 2 hidden channels.*got 1"):
        optimistic_sample_size(SharedTanhConv1D(5, width=1, kernel_size=3), two_kernels)
    with pytest.raises(NotExpressibleError, match=r"at least 2 hidden channels.*got 1"):
        optimistic_sample_size(NoShareTanhConv1D(5, width=1, kernel_size=3), two_kernels)
    with pytest.raises(NotExpressibleError, match="width at most 2, the model's, got 3"):
        optimistic_sample_size(TwoLayerTanhMLP(5, width=2), 3)


def test_a_neuron_wider_than_the_kernel_is_named() -> None:
    for model in (
        SharedTanhConv1D(5, width=9, kernel_size=2),
        NoShareTanhConv1D(5, width=9, kernel_size=2),
    ):
        with pytest.raises(
            NotExpressibleError, match="nonzero weights at input coordinates 0, 1, 2"
        ):
            optimistic_sample_size(model, PaperTeacherMLP())


def test_biases_that_the_model_lacks_are_named() -> None:
    target = set_weights(TwoLayerTanhMLP(2, width=1), [[1, 2]], [1], bias=[0.5])
    with pytest.raises(NotExpressibleError, match="Build the model with hidden_bias=True"):
        optimistic_sample_size(TwoLayerTanhMLP(2, width=3, hidden_bias=False), target)
    constant = set_weights(TwoLayerTanhMLP(2, width=1), [[0, 0]], [1], bias=[0.5])
    with pytest.raises(NotExpressibleError, match="output bias or hidden biases"):
        optimistic_sample_size(TwoLayerTanhMLP(2, width=3, hidden_bias=False), constant)
    crowded = set_weights(TwoLayerTanhMLP(2, width=2), [[1, 2], [0, 0]], [1, 1], bias=[0.5, 0.5])
    with pytest.raises(NotExpressibleError, match="one of them for the constant part"):
        optimistic_sample_size(TwoLayerTanhMLP(2, width=1), crowded)


def test_targets_of_another_kind_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="two-layer tanh network"):
        optimistic_sample_size(TwoLayerTanhMLP(5, width=3), MLP(5, widths=[2, 2]))
    with pytest.raises(InvalidInputError, match="5 input coordinates like the model, got 4"):
        optimistic_sample_size(TwoLayerTanhMLP(5, width=3), PaperTeacherMLP(4))
    with pytest.raises(InvalidInputError, match="must have the model's names"):
        optimistic_sample_size(TwoLayerTanhMLP(5, width=3), {"w": torch.ones(1)})
    with pytest.raises(InvalidInputError, match="a module, a state dict or a width"):
        optimistic_sample_size(TwoLayerTanhMLP(5, width=3), torch.ones(5))
    with pytest.raises(UnsupportedModuleError, match="Nothing is known"):
        optimistic_sample_size(nn.Conv1d(1, 1, 3), 1)
    frozen = TwoLayerTanhMLP(5, width=3).requires_grad_(False)
    with pytest.raises(InvalidInputError, match="must be trainable"):
        optimistic_sample_size(frozen, 1)


# --- The other families ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wanted"),
    list(zip(PAPER_MATRICES, (7, 7, 12, 12, 15, 15, 16, 16), strict=True)),
)
def test_the_papers_matrices_have_the_papers_numbers(name: str, wanted: int) -> None:
    model = MatrixFactorization(4, 4, width=4)
    matrix = PAPER_MATRICES[name]
    for target in (matrix, make_target(name), {"left": matrix, "right": torch.eye(4)}):
        size = optimistic_sample_size(model, target)
        assert size.value == wanted == formal_rank(model, params=size.witness)
        torch.testing.assert_close(size.witness["left"] @ size.witness["right"], matrix)


def test_matrix_ranks_out_of_reach_are_refused() -> None:
    model = MatrixFactorization(4, 5, width=2)
    assert optimistic_sample_size(model, 2).value == 2 * (4 + 5 - 2)
    assert optimistic_sample_size(model, 0).value == 0
    with pytest.raises(NotExpressibleError, match="width at least 3, the target's rank, got 2"):
        optimistic_sample_size(model, 3)
    with pytest.raises(NotExpressibleError, match="rank at most 4"):
        optimistic_sample_size(model, 5)
    with pytest.raises(InvalidInputError, match="target matrix must have shape"):
        optimistic_sample_size(model, torch.eye(4))


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_diagonal_networks_need_as_many_samples_as_coefficients(depth: int) -> None:
    for model in (DiagonalNetwork(4, depth=depth), DifferenceOfSquares(4)):
        size = optimistic_sample_size(model, [0.5, 0.0, -2.0, 0.0])
        assert size.value == 2 == formal_rank(model, params=size.witness)
        model.load_state_dict(size.witness)
        expressed = model(torch.eye(4).double())[:, 0]
        torch.testing.assert_close(expressed, torch.tensor([0.5, 0, -2, 0]).double())
        assert optimistic_sample_size(model, model).value == 2
        assert optimistic_sample_size(model, size.witness).value == 2
        assert optimistic_sample_size(model, 3).value == 3
        affine = make_target("affine", coefficients=[0, 1, 0, 3, 0])
        assert optimistic_sample_size(model, affine).value == 2
        with pytest.raises(NotExpressibleError, match="no constant part"):
            optimistic_sample_size(model, make_target("affine", coefficients=[1, 1, 0, 3, 0]))


def test_a_diagonal_network_of_depth_one_is_linear() -> None:
    assert optimistic_sample_size(DiagonalNetwork(4, depth=1), [1, 0, 0, 0]).value == 4


@pytest.mark.parametrize("c", list(itertools.product([0.0, 1.0], repeat=3))[1:])
def test_the_toys_meet_the_papers_targets(c: tuple[float, float, float]) -> None:
    linear = optimistic_sample_size(ToyLinear(), c)
    nonlinear = optimistic_sample_size(ToyNonlinear(), make_target("affine", coefficients=c))
    assert linear.value == 3
    assert nonlinear.value == (3 if c[2] else 2)
    for model, size in ((ToyLinear(), linear), (ToyNonlinear(), nonlinear)):
        assert formal_rank(model, params=size.witness) == size.value
        model.load_state_dict(size.witness)
        points = torch.tensor([[0.0, 0], [1, 0], [0, 1]]).double()
        wanted = torch.tensor([c[0], c[0] + c[1], c[0] + c[2]]).double()
        torch.testing.assert_close(model(points)[:, 0], wanted)


@pytest.mark.parametrize("hidden_bias", [False, True])
@pytest.mark.parametrize("output_bias", [False, True])
@pytest.mark.parametrize("widths", [[], [3], [3, 4], [4, 3, 3]])
@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("constant", ["none", "inside", "outside"])
def test_linear_networks_attain_their_size(
    widths: list[int], hidden_bias: bool, output_bias: bool, rank: int, constant: str
) -> None:
    model = MLP(
        4,
        widths=widths,
        output_dim=3,
        activation="identity",
        hidden_bias=hidden_bias,
        output_bias=output_bias,
    )
    stream = torch.Generator().manual_seed(rank)
    left = torch.randn(3, rank, generator=stream).double()
    weight = left @ torch.randn(rank, 4, generator=stream).double()
    target = nn.Linear(4, 3, dtype=torch.float64)
    bias = {
        "none": torch.zeros(3).double(),
        "inside": left @ torch.ones(rank).double(),
        "outside": torch.randn(3, generator=stream).double(),
    }[constant]
    target.load_state_dict({"weight": weight, "bias": bias})
    if bool(bias.any()) and not (output_bias or (hidden_bias and widths)):
        with pytest.raises(NotExpressibleError, match="must have a bias"):
            optimistic_sample_size(model, target)
        return
    size = optimistic_sample_size(model, target)
    assert size.value == formal_rank(model, params=size.witness)
    expressed = torch.func.functional_call(model, size.witness, (inputs(model),))
    torch.testing.assert_close(expressed, target(inputs(model)))
    if widths and not (hidden_bias and not output_bias):
        assert size.value == rank * (4 + 3 - rank) + 3 * output_bias


def test_linear_models_need_every_parameter() -> None:
    assert optimistic_sample_size(nn.Linear(4, 2), torch.zeros(2, 4)).value == 10
    assert optimistic_sample_size(MLP(4, widths=[]), torch.zeros(1, 4)).value == 4


@pytest.mark.parametrize("activation", ["gelu", "sin", "softplus"])
def test_deep_networks_are_bounded_by_the_narrow_networks_parameters(activation: str) -> None:
    narrow = generic(MLP(3, widths=[2, 2], activation=activation, output_bias=True))
    wide = MLP(3, widths=[5, 4], activation=activation, output_bias=True)
    size = optimistic_sample_size(wide, narrow)
    assert size.value is None
    assert (size.lower, size.upper) == (2, 3 * 2 + 2 + 2 * 2 + 2 + 2 + 1)
    assert size.published is not None
    assert size.published.theorem == "Theorem 3, Table 1"
    expressed = torch.func.functional_call(wide, size.witness, (inputs(wide),))
    torch.testing.assert_close(expressed, narrow(inputs(wide)))
    assert optimistic_sample_size(wide, narrow.state_dict()).upper == size.upper
    assert optimistic_sample_size(wide, 2).upper == size.upper


def test_deep_bounds_take_models_and_targets_of_different_dtypes() -> None:
    narrow = generic(MLP(3, widths=[2, 2], activation="gelu"))
    wide = MLP(3, widths=[4, 4], activation="gelu", dtype=torch.float32)
    size = optimistic_sample_size(wide, narrow)
    assert (size.lower, size.upper) == (1, 3 * 2 + 2 + 2 * 2 + 2 + 2)
    assert {value.dtype for value in size.witness.values()} == {torch.float32}


def test_relu_networks_lose_a_direction_for_each_neuron() -> None:
    wide = MLP(3, widths=[5], activation="relu")
    assert optimistic_sample_size(wide, 2).upper == 2 * (3 + 1 + 1) - 2


@pytest.mark.parametrize(
    ("activation", "output_bias", "wanted"),
    [("tanh", False, 0), ("tanh", True, 1), ("sigmoid", False, 1), ("sigmoid", True, 1)],
)
def test_the_zero_function_in_deep_networks(
    activation: str, output_bias: bool, wanted: int
) -> None:
    model = MLP(3, widths=[4, 4], activation=activation, output_bias=output_bias)
    assert optimistic_sample_size(model, 0).value == wanted


def test_deep_targets_that_theorem_3_does_not_cover_are_refused() -> None:
    wide = MLP(3, widths=[3, 3], activation="gelu")
    for target, words in [
        (MLP(3, widths=[4, 2], activation="gelu"), "at most as wide"),
        (MLP(3, widths=[2], activation="gelu"), "depth"),
        (MLP(3, widths=[2, 2], activation="sin"), "activation"),
        (MLP(4, widths=[2, 2], activation="gelu"), "input size"),
        (
            generic(MLP(3, widths=[2, 2], activation="gelu", output_bias=True)),
            "no bias in layer 3",
        ),
    ]:
        with pytest.raises(InvalidInputError, match=words):
            optimistic_sample_size(wide, target)


# --- The result -----------------------------------------------------------------------------


def test_the_result_tells_its_numbers_in_every_form() -> None:
    size = optimistic_sample_size(SharedTanhConv1D(5, width=4, kernel_size=3), PaperTeacherMLP())
    row = size.summary()
    assert row["value"] == 7
    assert row["published_value"] == 7
    assert json.loads(size.to_json()) == row
    assert "7, by Theorem 5" in repr(size)
    assert size._repr_html_().startswith("<table>")
    bounds = optimistic_sample_size(MLP(3, widths=[3, 3], activation="gelu"), 2)
    assert "at most" in repr(bounds)
    assert "&#x27;" in bounds._repr_html_()


def test_the_witness_has_the_models_dtype_and_leaves_the_model_alone() -> None:
    model = TwoLayerTanhMLP(5, width=4, dtype=torch.float32)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    size = optimistic_sample_size(model, PaperTeacherMLP())
    assert {value.dtype for value in size.witness.values()} == {torch.float32}
    assert list(size.witness) == [name for name, _ in model.named_parameters()]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    structure = two_layer_structure(model)
    assert structure is not None
    assert formal_rank(model, params=size.witness) == size.value == 21
