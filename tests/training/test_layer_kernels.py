"""The kernel of layered networks: the engine contract, any shape, and bits that stay the same."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from llr.models import ACTIVATIONS, MLP, Pointwise, TwoLayerTanhMLP, initialize
from llr.seeds import generator
from llr.testing import EngineContract
from llr.training import ENGINES, Adam, GradientDescent, Problem, train, train_batch


def deep_relu() -> nn.Module:
    return MLP(2, widths=[9, 5], activation="relu", output_bias=True)


def convolution() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 2)),
        nn.Conv1d(1, 3, 2, padding=1),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(9, 1),
    ).double()


class LayerContract(EngineContract):
    """The contract of every engine, on networks that only this kernel trains."""

    build = staticmethod(deep_relu)
    dtype = torch.float64

    def make(self):
        return ENGINES["compiled"]

    def problem(self) -> Problem:
        models = [
            initialize(self.build(), std=0.5, generator=generator(seed, "init")).to(self.dtype)
            for seed in range(4)
        ]
        named = [dict(model.named_parameters()) for model in models]
        plain = super().problem()
        return replace(
            plain,
            model=models[0],
            params={name: torch.stack([p[name].detach() for p in named]) for name in named[0]},
            **{
                name: getattr(plain, name).to(self.dtype)
                for name in ("x_train", "y_train", "x_test", "y_test")
            },
        )


class TestDeepRelu(LayerContract):
    """Depth and kinks."""


class TestConvolutionByAdam(LayerContract):
    """Positions, padding, Adam."""

    build = staticmethod(convolution)
    optimizer = Adam(lr=0.01, max_steps=100, tol=1e-3)


class TestMomentum(LayerContract):
    """Velocity."""

    optimizer = GradientDescent(lr=0.05, max_steps=200, tol=1e-4, momentum=0.9)


class TestFloat32(LayerContract):
    """Single precision."""

    dtype = torch.float32
    rtol = 1e-3


class TestTwoLayerTanhInFloat32(LayerContract):
    """The family that has a kernel of its own in float64."""

    build = staticmethod(lambda: TwoLayerTanhMLP(2, width=3))
    dtype = torch.float32
    rtol = 1e-3


def network(draw, name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A random chain of layers."""

    def size(most: int) -> int:
        return draw(st.integers(1, most))

    def act() -> nn.Module:
        return Pointwise(draw(st.sampled_from(["tanh", "sigmoid", "softplus", "sin", "identity"])))

    bias = draw(st.booleans())
    if name == "linear":
        widths = [size(12), *(size(20) for _ in range(draw(st.integers(0, 3)))), size(10)]
        modules = [nn.Linear(widths[0], widths[1], bias=bias)]
        for before, after in itertools.pairwise(widths[1:]):
            modules += [act(), nn.Linear(before, after)]
        return nn.Sequential(*modules), (widths[0],)
    axes = (size(4) + 4,) if name == "1-d" else (size(3) + 3, size(3) + 3)
    convolution, pool = (nn.Conv1d, nn.AvgPool1d) if name == "1-d" else (nn.Conv2d, nn.AvgPool2d)
    channels, first, second = size(3), size(10), size(10)
    stride, padding = draw(st.integers(1, 2)), draw(st.integers(0, 1))
    modules = [
        convolution(channels, first, 2, bias=bias, padding=padding),
        act(),
        pool(2, stride=1, padding=draw(st.integers(0, 1))),
        convolution(first, second, 2, stride=stride),
        act(),
        nn.Flatten(),
    ]
    x = torch.zeros(1, channels, *axes)
    modules.append(nn.Linear(nn.Sequential(*modules)(x).shape[1], size(6)))
    return nn.Sequential(*modules), (channels, *axes)


@given(data=st.data(), name=st.sampled_from(["linear", "1-d", "2-d"]))
@settings(max_examples=25)
def test_any_chain_trains_as_in_torch(data, name):
    model, shape = network(data.draw, name)
    n, n_test = data.draw(st.integers(1, 11)), data.draw(st.integers(0, 70))
    stream = torch.Generator().manual_seed(n)
    initialize(model.double(), std=0.4, generator=stream)
    x = torch.randn(n + n_test, *shape, dtype=torch.float64, generator=stream)
    with torch.no_grad():
        y = torch.randn(n + n_test, model(x).shape[1], dtype=torch.float64, generator=stream)
    options = {"max_steps": 25, "tol": 0.0, "weight_decay": data.draw(st.sampled_from([0.0, 1e-3]))}
    optimizer = data.draw(
        st.sampled_from(
            [
                GradientDescent(lr=0.01, **options),
                GradientDescent(lr=0.005, momentum=0.7, **options),
                Adam(**options),
            ]
        )
    )
    compiled, by_torch = (
        train(
            model,
            *(x[:n], y[:n]),
            **{"x_test": x[n:], "y_test": y[n:], "optimizer": optimizer, "engine": engine},
        )
        for engine in ("compiled", "torch")
    )
    for part in ("train_mse", "test_mse"):
        got, wanted = getattr(compiled.history, part), getattr(by_torch.history, part)
        # errors at 1e-16 of the outputs are rounding
        np.testing.assert_allclose(np.sqrt(got), np.sqrt(wanted), rtol=1e-9, atol=1e-14)
    largest = max(float(value.abs().max()) for value in by_torch.params.values())
    for key, value in by_torch.params.items():
        assert (compiled.params[key] - value).abs().max() <= 1e-10 * largest


@pytest.mark.parametrize("activation", [n for n in ACTIVATIONS if n != "hardsigmoid"])
def test_every_activation_trains_as_in_torch(activation):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(3, 9),
        Pointwise(activation),
        nn.Linear(9, 4),
        Pointwise(activation),
        nn.Linear(4, 1),
    ).double()
    x = torch.randn(7, 3, dtype=torch.float64)
    optimizer = GradientDescent(lr=0.01, max_steps=40, tol=0.0)
    one, other = (
        train(model, x, x[:, 0].sin(), optimizer=optimizer, engine=engine)
        for engine in ("compiled", "torch")
    )
    assert one.train_mse == pytest.approx(other.train_mse, rel=1e-10)
    assert one.train_mse < one.history.train_mse[0]


def test_bits_depend_neither_on_neighbours_nor_on_threads():
    plain = TestDeepRelu().problem()
    optimizer = GradientDescent(lr=0.05, max_steps=300, tol=0.0, dropout=0.2)
    alone = [train_batch(plain.select([r]), optimizer)[0] for r in range(4)]
    for threads in (1, 3):
        for result, single in zip(
            train_batch(plain, optimizer, threads=threads), alone, strict=True
        ):
            assert result.engine == "compiled"
            assert result.train_mse == single.train_mse
            assert all(torch.equal(v, single.params[k]) for k, v in result.params.items())
