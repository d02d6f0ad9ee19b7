"""Exact ranks of two-layer networks with any activation, against the definition in many digits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from tests.activation_cases import ACTIVATION_CASES
from tests.cases import Case, generic
from tests.effort import cases
from tests.theory.activation_networks import random_network
from torch import nn

from llr.errors import InvalidInputError, UnsupportedModuleError
from llr.models import (
    ACTIVATIONS,
    MLP,
    Activation,
    LocallyConnected1D,
    NoShareConv1D,
    Pointwise,
    SharedConv1D,
    SharedConv2D,
    TwoLayerMLP,
    TwoLayerTanhMLP,
)
from llr.tangent import model_rank
from llr.theory import explain_rank, formal_rank, register_activation
from llr.theory.activations import ODD, ROWS, VALUE_AT_ZERO, Smooth, Symmetry

ball_rank = pytest.importorskip("tests.reference.ball_rank", exc_type=ImportError)

NAMES = get_args(Activation)
MANY = cases(12, soak=1000)

# Rank that a generic unit adds with one output: (without hidden bias, with it), in d inputs.
COSTS = {
    **{
        name: lambda d: (d + 1, d + 2)
        for name in NAMES
        if name not in ("square", "cube", "identity")
    },
    **{name: lambda d: (d, d + 1) for name in ("relu", "leaky_relu", "abs")},
    "exp": lambda d: (d + 1, d + 1),
}


@pytest.mark.parametrize("name", NAMES)
def test_random_networks_have_the_rank_of_the_definition(name: str) -> None:
    for seed in range(MANY):
        model = random_network(name, seed)
        assert formal_rank(model) == ball_rank.ball_rank(model), (name, seed)


@pytest.mark.parametrize("name", NAMES)
def test_a_rank_does_not_depend_on_the_primes(name: str) -> None:
    model = random_network(name, 5)
    assert len({formal_rank(model, seed=seed) for seed in range(4)}) == 1


@pytest.mark.parametrize("name", COSTS)
def test_generic_units_cost_what_the_table_says(name: str) -> None:
    for d, k, hidden_bias, output_bias in product((2, 3), (1, 2), (False, True), (False, True)):
        biases = {"hidden_bias": hidden_bias, "output_bias": output_bias}
        model = generic(TwoLayerMLP(d, width=k, activation=name, **biases), seed=3)
        wanted = k * COSTS[name](d)[hidden_bias] + output_bias
        assert formal_rank(model) == wanted, (d, k, biases)


@pytest.mark.parametrize("name", NAMES)
def test_generic_networks_have_the_measured_rank(name: str) -> None:
    model = generic(TwoLayerMLP(3, width=2, activation=name, output_bias=True), seed=1, std=0.7)
    measured = model_rank(model)
    if name in ("relu6", "hardsigmoid", "hardswish"):  # few samples lie beyond the outer knots
        assert measured.rank <= formal_rank(model)
    else:
        assert measured.verdict != "clear" or measured.rank == formal_rank(model)


@pytest.mark.parametrize("name", NAMES)
def test_the_symmetry_in_the_table_is_that_of_the_function(name: str) -> None:
    kind, sigma = ROWS[name].kind, ACTIVATIONS[name].function
    z = torch.linspace(-4, 4, 65, dtype=torch.float64)
    if isinstance(kind, Smooth) and kind.symmetry is not None:
        s = kind.symmetry
        turned = s.sign * sigma(z) + float(s.constant) + float(s.slope) * z
        torch.testing.assert_close(sigma(-z), turned, rtol=1e-12, atol=1e-12)
    assert (name in ODD) == bool(torch.allclose(sigma(-z), -sigma(z), atol=1e-12))
    assert VALUE_AT_ZERO[name] == float(sigma(torch.zeros(()).double()))


def test_every_activation_has_a_row() -> None:
    assert set(NAMES) <= set(ROWS)
    assert set(ROWS) == set(ACTIVATIONS)
    assert all(ROWS[name].theorem and not ROWS[name].assumes for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_values_and_slopes_of_constant_units_vanish_where_the_table_says(name: str) -> None:
    kind, row = ROWS[name].kind, ACTIVATIONS[name]
    if not isinstance(kind, Smooth):
        return
    b = np.array([-2.5, -1.5, -1.0, -0.75, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0])
    at = torch.from_numpy(b)
    for zeros, function in ((kind.value, row.function), (kind.slope, row.derivative)):
        assert ((zeros(b) == 0) == (function(at).abs().numpy() < 1e-14)).all()


def test_a_slope_near_its_irrational_zero_is_not_zero() -> None:
    for name, zero in (("gelu", -0.7517915246935645), ("gelu_tanh", -0.7524614220710162)):
        model = TwoLayerMLP(2, width=1, activation=name)
        params = {
            "hidden.weight": torch.zeros(1, 2),
            "hidden.bias": torch.tensor([zero], dtype=torch.float64),
            "output.weight": torch.ones(1, 1),
        }
        assert formal_rank(model, params=params) == 3  # 1, x_1, x_2
    hard = TwoLayerMLP(2, width=1, activation="hardtanh")
    params["hidden.bias"] = torch.tensor([1.0])
    assert formal_rank(hard, params=params) == 1  # the slope is 0 there: only the constant


@pytest.mark.parametrize("name", ["tanh", "relu", "silu", "sin", "gaussian", "hardswish"])
def test_convolutions_of_pytorch_are_read_like_the_classes(name: str) -> None:
    own = generic(SharedConv1D(4, width=2, kernel_size=2, activation=name))
    module = nn.Sequential(
        nn.Conv1d(1, 2, 2), Pointwise(name), nn.Flatten(), nn.Linear(6, 1, bias=False)
    ).double()
    module[0].load_state_dict(own.hidden.state_dict())
    module[3].load_state_dict(own.output.state_dict())
    assert formal_rank(module) == formal_rank(own)
    image = generic(SharedConv2D(3, width=2, kernel_size=2, activation=name))
    layers = [nn.Conv2d(1, 2, 2), Pointwise(name), nn.Flatten(), nn.Linear(8, 1, bias=False)]
    for module in (
        nn.Sequential(*layers).double(),
        nn.Sequential(nn.Unflatten(1, (1, 3, 3)), *layers).double(),
    ):
        module[-4].load_state_dict(image.hidden.state_dict())
        module[-1].load_state_dict(image.output.state_dict())
        assert formal_rank(module) == formal_rank(image)
    unshared = generic(NoShareConv1D(4, width=2, kernel_size=2, activation=name))
    module = nn.Sequential(
        LocallyConnected1D(4, in_channels=1, out_channels=2, kernel_size=2),
        Pointwise(name),
        nn.Flatten(),
        nn.Linear(6, 1, bias=False),
    ).double()
    module[0].load_state_dict(unshared.hidden.state_dict())
    module[3].load_state_dict(unshared.output.state_dict())
    assert formal_rank(module) == formal_rank(unshared)


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 2},
        {"padding": 1},
        {"dilation": 2},
        {"in_channels": 2},
        {"padding": 1, "stride": 2, "in_channels": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["tanh", "softplus", "relu"])
def test_strides_padding_and_channels_have_the_measured_rank(
    name: str, options: dict[str, int]
) -> None:
    channels = options.get("in_channels", 1)
    conv = generic(
        nn.Conv1d(
            channels, 2, 2, **{k: v for k, v in options.items() if k != "in_channels"}
        ).double()
    )
    shape = (channels, 5)
    n = conv(torch.zeros(1, *shape, dtype=torch.float64)).numel()
    head = generic(nn.Linear(n, 2).double(), seed=1)
    module = nn.Sequential(nn.Unflatten(1, shape), conv, Pointwise(name), nn.Flatten(), head)
    # The same tangent functions, from the definition at many inputs.
    x = torch.randn(
        60, channels * 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    measured = model_rank(module, x)
    assert measured.verdict == "clear"
    assert formal_rank(module) == measured.rank
    assert explain_rank(module).n_parameters == sum(p.numel() for p in module.parameters())


def test_a_shape_that_is_not_known_is_asked_for() -> None:
    module = nn.Sequential(nn.Conv2d(1, 1, 2), nn.ReLU(), nn.Flatten(), nn.Linear(6, 1))
    with pytest.raises(UnsupportedModuleError, match=r"Put nn\.Unflatten"):
        formal_rank(module)
    wide = nn.Sequential(nn.Unflatten(1, (1, 3, 4)), *module)
    assert formal_rank(wide) > 0


def test_an_explanation_names_groups_and_theorem() -> None:
    model = TwoLayerMLP(2, width=4, activation="silu")
    params = {
        "hidden.weight": torch.tensor([[1.0, 2.0], [-1.0, -2.0], [0.0, 0.0], [3.0, 1.0]]),
        "hidden.bias": torch.tensor([0.5, -0.5, 1.0, 0.0]),
        "output.weight": torch.tensor([[1.0, 2.0, 1.0, 0.0]]),
    }
    explained = explain_rank(model, params=params)
    assert [group.units for group in explained.groups] == [(0, 1), (3,), (2,)]
    assert [group.constant for group in explained.groups] == [False, False, True]
    assert [group.live for group in explained.groups] == [True, False, True]
    assert "Theorem A" in explained.theorem
    assert explained.assumes == ()
    assert explained.rank == formal_rank(model, params=params)
    assert "units 0, 1" in repr(explained)
    assert explained.summary()["n_groups"] == 3
    assert '"assumes": []' in explained.to_json()
    assert explained._repr_html_().startswith("<pre>")


def test_every_family_is_explained() -> None:
    for model in (
        TwoLayerTanhMLP(3, width=2),
        MLP(3, widths=[3, 2]),
        MLP(3, widths=[3, 2], activation="identity"),
    ):
        explained = explain_rank(model)
        assert explained.rank == formal_rank(model)
        assert explained.theorem
        assert explained.formula


def test_tied_constants_that_no_theorem_separates_are_assumed_apart() -> None:
    module = nn.Sequential(nn.Linear(2, 2), Pointwise("erf"), nn.Linear(2, 2)).double()
    module[2].weight = module[0].weight
    with torch.no_grad():
        module[0].weight.zero_()
        module[0].bias.copy_(torch.tensor([1.0, 2.0]))
    with pytest.raises(UnsupportedModuleError, match="explain_rank"):
        formal_rank(module)
    explained = explain_rank(module)
    assert explained.rank == ball_rank.ball_rank(module)
    assert "Schanuel" in explained.assumes[0]
    arctan = nn.Sequential(nn.Linear(2, 2), Pointwise("arctan"), nn.Linear(2, 2)).double()
    arctan.load_state_dict(module.state_dict())
    arctan[2].weight = arctan[0].weight
    assert "3 arctan 1 = arctan 2 + arctan 3" in explain_rank(arctan).assumes[0]
    tanh = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)).double()
    tanh.load_state_dict(module.state_dict())
    tanh[2].weight = tanh[0].weight
    assert formal_rank(tanh) == ball_rank.ball_rank(tanh)


@pytest.fixture
def registered() -> Iterator[str]:
    """A second name for GELU, registered by its properties and forgotten again."""
    register_activation(
        "my_gelu",
        nn.functional.gelu,
        ACTIVATIONS["gelu"].derivative,
        symmetry=Symmetry(1, slope=Fraction(-1)),
    )
    yield "my_gelu"
    for table in (ACTIVATIONS, VALUE_AT_ZERO, ROWS):
        table.pop("my_gelu")


def test_a_registered_activation_has_the_rank_of_its_symmetry(registered: str) -> None:
    for seed in range(12):
        model = random_network("gelu", seed)
        wanted = explain_rank(model).rank
        for module in model.modules():
            if getattr(module, "activation", None) == "gelu":
                module.activation = registered
            if getattr(module, "name", None) == "gelu":
                module.name = registered
        explained = explain_rank(model)
        assert explained.rank == wanted
        assert "sigma(-z) = sigma(z) - 1 z" in explained.assumes[0]
        with pytest.raises(UnsupportedModuleError, match=r"explain_rank.*\.assumes"):
            formal_rank(model)


def test_false_statements_are_refused_at_registration() -> None:
    good = (nn.functional.gelu, ACTIVATIONS["gelu"].derivative)
    with pytest.raises(InvalidInputError, match="sigma\\(-z\\) by the symmetry"):
        register_activation("wrong", *good, symmetry=Symmetry(-1))
    with pytest.raises(InvalidInputError, match="the derivative"):
        register_activation("wrong", nn.functional.gelu, torch.sigmoid)
    with pytest.raises(InvalidInputError, match="the value at zero"):
        register_activation("wrong", *good, value_at_zero=1.0)
    with pytest.raises(InvalidInputError, match="must be new"):
        register_activation("gelu", *good)
    assert "wrong" not in ACTIVATIONS
    assert "wrong" not in ROWS


@pytest.mark.parametrize("name", ["tanh", "softplus", "sigmoid", "gelu", "relu"])
def test_large_networks_count_every_unit(name: str) -> None:
    unit = 21 if name == "relu" else 22
    assert formal_rank(generic(TwoLayerMLP(20, width=1500, activation=name))) == 1500 * unit


def test_the_stored_comparison_covers_every_activation() -> None:
    stored = json.loads((Path(__file__).parent / "ball_comparison.json").read_text())
    assert set(stored["activations"]) == set(NAMES)
    assert all(row["networks"] >= 1000 for row in stored["activations"].values())
    assert stored["disagreements"] == 0


@pytest.mark.parametrize("case", ACTIVATION_CASES.values(), ids=repr)
def test_every_registered_rank_is_met(case: Case) -> None:
    model = case.build()
    assert formal_rank(model) == case.rank
    assert ball_rank.ball_rank(model) == case.rank
    measured = model_rank(model)
    if not case.visible:
        assert measured.rank <= case.rank
    elif measured.verdict == "clear":
        assert measured.rank == case.rank
