"""Two-layer networks with any activation; the tanh names are the tanh case."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from llr.errors import InvalidInputError
from llr.models import (
    ACTIVATIONS,
    MLP,
    Activation,
    NoShareConv1D,
    NoShareConv2D,
    NoShareTanhConv1D,
    NoShareTanhConv2D,
    SharedConv1D,
    SharedConv2D,
    SharedTanhConv1D,
    SharedTanhConv2D,
    TwoLayerMLP,
    TwoLayerTanhMLP,
    two_layer_structure,
)

CONVOLUTIONS = [
    (SharedConv1D, SharedTanhConv1D),
    (SharedConv2D, SharedTanhConv2D),
    (NoShareConv1D, NoShareTanhConv1D),
    (NoShareConv2D, NoShareTanhConv2D),
]


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_makes_every_architecture(name: str) -> None:
    x = torch.randn(4, 3, generator=seeded(), dtype=torch.float64)
    model = TwoLayerMLP(3, width=2, activation=name, output_bias=True, generator=seeded())
    sigma = ACTIVATIONS[name].function
    assert torch.equal(model(x), model.output(sigma(model.hidden(x))))
    assert torch.equal(model(x), MLP_like(model)(x))
    for kind, _ in CONVOLUTIONS:
        convolution = kind(3, width=2, kernel_size=2, activation=name)
        image = torch.zeros(4, *convolution.input_shape, dtype=torch.float64)
        assert convolution(image).shape == (4, 1)
        structure = two_layer_structure(convolution, activation=None)
        assert structure is not None
        assert structure.activation == name


def MLP_like(model: TwoLayerMLP) -> MLP:
    """The same function as an ``MLP``."""
    other = MLP(3, widths=[2], activation=model.activation, output_bias=True)
    other.load_state_dict(
        {
            name.replace("hidden", "layers.0").replace("output", "layers.1"): value
            for name, value in model.state_dict().items()
        }
    )
    return other


@pytest.mark.parametrize(("kind", "tanh"), CONVOLUTIONS)
def test_the_tanh_convolutions_are_the_tanh_case(kind: type, tanh: type) -> None:
    options = {"width": 2, "kernel_size": 2, "output_bias": True}
    one, other = kind(3, **options, generator=seeded()), tanh(3, **options, generator=seeded())
    assert isinstance(other, kind)
    assert one.activation == other.activation == "tanh"
    assert one.structure == other.structure
    assert list(one.state_dict()) == list(other.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    with pytest.raises(TypeError):
        tanh(3, **options, activation="relu")


def test_the_tanh_mlp_is_the_tanh_case() -> None:
    one = TwoLayerMLP(3, width=2, generator=seeded())
    other = TwoLayerTanhMLP(3, width=2, generator=seeded())
    assert isinstance(other, TwoLayerMLP)
    assert one.structure == other.structure
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_only_tanh_networks_are_taken_for_tanh_networks() -> None:
    for model in (
        TwoLayerMLP(3, width=2, activation="relu"),
        MLP(3, widths=[2], activation="relu"),
        nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)),
        SharedConv1D(3, width=2, kernel_size=2, activation="relu"),
    ):
        assert two_layer_structure(model) is None
        structure = two_layer_structure(model, activation=None)
        assert structure is not None
        assert structure == two_layer_structure(model, activation="relu")


def test_the_names_of_networks_are_those_of_the_table() -> None:
    assert get_args(Activation) == tuple(ACTIVATIONS)[: len(get_args(Activation))]
    with pytest.raises(InvalidInputError, match="Did you mean 'gaussian'"):
        TwoLayerMLP(3, width=2, activation="gausian")
    with pytest.raises(InvalidInputError, match="activation must be one of"):
        SharedConv1D(3, width=2, kernel_size=2, activation="nonsense")
