"""Models beyond the two-layer family against loops over their formulas; devices."""

import math

import pytest
import torch
from torch import nn

from llr.models import (
    MLP,
    MODEL_NAMES,
    DiagonalNetwork,
    DifferenceOfSquares,
    MatrixFactorization,
    ModelSizes,
    PaperTeacherMLP,
    ToyLinear,
    ToyNonlinear,
    build_model,
    initialize,
)


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(*shape: int) -> torch.Tensor:
    return torch.randn(4, *shape, generator=stream(1), dtype=torch.float64)


ACTIVATIONS = {
    "tanh": math.tanh,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "relu": lambda z: max(z, 0.0),
    "gelu": lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2,
    "softplus": lambda z: math.log1p(math.exp(z)),
    "erf": math.erf,
    "sin": math.sin,
    "identity": lambda z: z,
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("widths", [[], [3], [4, 2, 3]])
@pytest.mark.parametrize("biases", [(True, True), (False, False)])
def test_a_deep_network_goes_layer_by_layer(activation: str, widths: list[int], biases):
    model = MLP(
        5,
        widths=widths,
        output_dim=2,
        activation=activation,
        hidden_bias=biases[0],
        output_bias=biases[1],
        generator=stream(),
    )
    x = points(5)
    for sample, output in zip(x.tolist(), model(x).tolist(), strict=True):
        values = sample
        for l, layer in enumerate(model.layers):
            bias = [0.0] * layer.out_features if layer.bias is None else layer.bias.tolist()
            values = [
                b + sum(w * v for w, v in zip(row, values, strict=True))
                for row, b in zip(layer.weight.tolist(), bias, strict=True)
            ]
            if l < len(widths):
                values = [ACTIVATIONS[activation](z) for z in values]
        assert output == pytest.approx(values, rel=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_diagonal_network_sums_products(depth: int):
    model, x = DiagonalNetwork(3, depth=depth, generator=stream()), points(3)
    theta = model.theta.tolist()
    for sample, (output,) in zip(x.tolist(), model(x).tolist(), strict=True):
        products = [math.prod(theta[l][j] for l in range(depth)) for j in range(3)]
        assert output == pytest.approx(sum(a * b for a, b in zip(products, sample, strict=True)))


def test_a_difference_of_squares_by_hand():
    model, x = DifferenceOfSquares(3, generator=stream()), points(3)
    a, b = model.theta.tolist()
    for sample, (output,) in zip(x.tolist(), model(x).tolist(), strict=True):
        assert output == pytest.approx(sum((a[j] ** 2 - b[j] ** 2) * sample[j] for j in range(3)))


def test_the_toys_by_hand():
    x = points(2)
    t = ToyLinear(generator=stream()).theta.tolist()
    u = ToyNonlinear(generator=stream()).theta.tolist()
    linear, nonlinear = ToyLinear(generator=stream())(x), ToyNonlinear(generator=stream())(x)
    for (x1, x2), (f,), (g,) in zip(x.tolist(), linear.tolist(), nonlinear.tolist(), strict=True):
        assert f == pytest.approx(t[0] + t[1] * x1 + t[2] * x2)
        assert g == pytest.approx(u[0] + u[1] * x1 + u[2] * u[3] * x2)


def test_a_factorised_matrix_is_a_bilinear_form():
    model = MatrixFactorization(3, 4, width=2, generator=stream())
    a, b, x = model.left.tolist(), model.right.tolist(), points(7)
    for sample, (output,) in zip(x.tolist(), model(x).tolist(), strict=True):
        u, v = sample[:3], sample[3:]
        expected = sum(
            u[i] * a[i][q] * b[q][j] * v[j] for i in range(3) for j in range(4) for q in range(2)
        )
        assert output == pytest.approx(expected)


def build(name: str, **options) -> nn.Module:
    return build_model(name, ModelSizes(2 if name.startswith("toy") else 5, 3), **options)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_initialising_any_model_from_a_generator_leaves_the_global_one_alone(name: str):
    before = torch.random.get_rng_state()
    model = build(name, generator=stream())
    for method in ("normal", "default"):
        initialize(model, method=method, std=0.1, generator=stream())
    PaperTeacherMLP()
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_parameters_are_placed_where_they_are_wanted(name: str):
    assert {p.device.type for p in build(name, device="meta").parameters()} == {"meta"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_model_is_the_same_on_a_gpu(name: str):
    here, there = build(name, generator=stream()), build(name, generator=stream(), device="cuda")
    x = points(*here.input_shape)
    for one, other in zip(here.parameters(), there.parameters(), strict=True):
        assert torch.equal(one, other.cpu())
    torch.testing.assert_close(there(x.cuda()).cpu(), here(x), rtol=1e-12, atol=1e-14)
