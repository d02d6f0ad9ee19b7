"""Condensing: the pieces against autograd and plain least squares, the whole on known targets."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.reference.least_squares import fitted_error
from torch import nn

import llr
from llr.diagnostics.condensing._layer_features import Block, slopes, unit_features
from llr.diagnostics.condensing._layer_values import LayerWeights, first_values
from llr.diagnostics.condensing._narrow_module import narrow_module, read_back
from llr.diagnostics.condensing._reduce_layers import reduce_layers
from llr.diagnostics.condensing._wide_values import read_function, wide_values
from llr.diagnostics.condensing._width_curve import read_curve
from llr.errors import InvalidInputError, UnsupportedModuleError
from llr.models import LocallyConnected1D, layered_network


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=stream(seed), dtype=torch.float64)


def drawn(module: nn.Module, seed: int = 1, std: float = 0.8) -> nn.Module:
    """The module with standard normal parameters."""
    source = stream(seed)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(std * torch.randn(value.shape, generator=source, dtype=torch.float64))
    return module.double()


NETWORKS = {
    "fully connected": (lambda: llr.TwoLayerMLP(4, width=3, activation="silu"), (4,)),
    "no bias": (lambda: llr.TwoLayerTanhMLP(4, width=3, hidden_bias=False), (4,)),
    "shared": (lambda: llr.SharedConv1D(5, width=2, kernel_size=3, output_bias=True), (5,)),
    "shared 2-d": (lambda: llr.SharedConv2D(4, width=2, kernel_size=3), (4, 4)),
    "unshared": (lambda: llr.NoShareConv1D(5, width=2, kernel_size=3), (5,)),
    "unshared 2-d": (lambda: llr.NoShareConv2D(3, width=2, kernel_size=2), (3, 3)),
    "deep": (lambda: llr.MLP(4, widths=[3, 2], activation="gelu", output_dim=2), (4,)),
    "convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3, padding=1),
            nn.Tanh(),
            nn.AvgPool2d(2),
            nn.Softplus(),
            nn.Conv2d(3, 2, 2, bias=False),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(2 * 4, 2),
        ),
        (2, 6, 6),
    ),
    "unshared above": (
        lambda: nn.Sequential(
            LocallyConnected1D(6, in_channels=1, out_channels=3, kernel_size=2),
            nn.Tanh(),
            LocallyConnected1D(5, in_channels=3, out_channels=2, kernel_size=3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(6, 1),
        ),
        (1, 6),
    ),
}


def read(name: str):
    """A module, its layers, and samples."""
    factory, shape = NETWORKS[name]
    module = drawn(factory())
    return module, read_function(module, layered_network(module, shape)), normal(9, *shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_compute_what_the_module_computes(name: str):
    module, function, x = read(name)
    assert torch.allclose(function.outputs(x), module(x), atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_slopes_of_units_are_those_of_autograd(name: str):
    _, function, x = read(name)
    h = first_values(function.network, function.poolings, x)
    block, weights = Block(function.layers[0], function.layers[1].layer), function.weights[0]
    parts = [weights.weight.flatten(1)]
    if weights.bias is not None:
        parts.append(weights.bias.reshape(weights.channels, -1))
    theta = torch.cat(parts, dim=1)
    size = weights.weight[0].numel()

    def features(theta: torch.Tensor) -> torch.Tensor:
        bias = None if weights.bias is None else theta[:, size:].reshape(weights.bias.shape)
        moved = LayerWeights(theta[:, :size].reshape(weights.weight.shape), bias)
        return unit_features(block, moved, h)

    full = torch.autograd.functional.jacobian(features, theta)  # (K, G, R, T, K, Q)
    k = torch.arange(weights.channels)
    own = full[k, :, :, :, k].movedim(-1, 0)
    assert torch.allclose(slopes(block, weights, h), own, atol=1e-12)
    full[k, :, :, :, k] = 0
    assert not full.any()  # a unit depends on its own weights alone


@pytest.mark.parametrize("name", NETWORKS)
def test_a_narrower_module_computes_what_its_layers_compute(name: str):
    module, function, x = read(name)
    one = tuple(1 for _ in function.widths)
    reduced = reduce_layers(wide_values(function, x, 0), one, None, 0)
    narrow = narrow_module(module, reduced)
    assert torch.allclose(narrow(x), reduced.outputs(x), atol=1e-10)
    again = read_function(narrow, layered_network(narrow, tuple(x.shape[1:])))
    assert again.widths == one
    back = read_back(reduced, dict(narrow.named_parameters()))
    assert torch.equal(back.outputs(x), reduced.outputs(x))


@pytest.mark.parametrize("name", ["shared", "no bias"])
def test_the_fit_of_a_hidden_layer_is_a_minimum_of_plain_least_squares(name: str):
    factory, shape = NETWORKS[name]
    wide = drawn(factory().__class__(shape[0], **sizes(name, width=4)))
    x = normal(60, *shape, seed=3)
    function = read_function(wide, layered_network(wide, shape))
    reduced = reduce_layers(wide_values(function, x, 0), (2,), None, 0)
    wanted = function.outputs(x)
    error = float((reduced.outputs(x) - wanted).norm() / wanted.norm())
    plain = fitted_error(narrow_module(wide, reduced), x, wanted)
    assert plain <= error * (1 + 1e-9)
    assert error == pytest.approx(plain, rel=0.02)
    assert error > 1e-6


def sizes(name: str, width: int) -> dict:
    """Arguments of a network of ``NETWORKS``, of another width."""
    return {
        "no bias": {"width": width, "hidden_bias": False},
        "shared": {"width": width, "kernel_size": 3, "output_bias": True},
    }[name]


def moved(model: nn.Module, std: float, seed: int = 7) -> nn.Module:
    """The model with noise on every parameter."""
    source = stream(seed)
    with torch.no_grad():
        for value in model.parameters():
            value.add_(std * torch.randn(value.shape, generator=source, dtype=value.dtype))
    return model


@pytest.mark.parametrize(
    ("model", "width", "size"),
    [
        (lambda: llr.TwoLayerTanhMLP(5, width=9), 3, 21),
        (lambda: llr.SharedTanhConv1D(5, width=5, kernel_size=3), 1, 7),
        (lambda: llr.NoShareTanhConv1D(5, width=5, kernel_size=3), 1, 15),
    ],
    ids=["fully connected", "shared", "unshared"],
)
def test_near_a_target_the_width_rank_and_size_are_those_of_the_target(model, width, size):
    wide = model()
    target = llr.PaperTeacherMLP(hidden_bias=True)
    wide.load_state_dict(llr.optimistic_sample_size(wide, target).witness)
    moved(wide, 1e-6)
    assert llr.formal_rank(wide) > size  # exact algebra sees every parameter
    found = llr.condense(wide, max_width=4)
    assert (found.width, found.verdict) == (width, "clear")
    assert (found.rank, found.rank_source, found.optimistic_sample_size) == (size, "exact", size)
    assert found.error < 1e-5
    assert type(found.network) is type(wide)


def test_a_network_that_is_not_narrow_has_no_edge():
    wide = llr.TwoLayerTanhMLP(3, width=40, generator=stream(2))
    found = llr.condense(drawn(wide), max_width=3)
    assert (found.verdict, found.width, found.rank, found.sample_size) == ("none", None, None, None)
    assert found.widths == (3,)
    assert "max_width" in found.message


def test_the_own_width_counts_only_where_the_function_needs_it():
    full = drawn(llr.TwoLayerTanhMLP(3, width=2, generator=stream(2)), std=1.5)
    found = llr.condense(full)
    assert (found.width, found.verdict) == (2, "clear")
    assert found.curve.errors[0] > 0.1


def test_a_deep_network_is_reduced_layer_by_layer():
    narrow = drawn(llr.MLP(3, widths=[3, 2]), seed=3, std=1.0)
    wide = llr.MLP(3, widths=[5, 4])
    wide.load_state_dict(llr.optimistic_sample_size(wide, narrow).witness)
    found = llr.condense(moved(wide, 1e-7), max_width=4)
    assert found.widths == (3, 2)
    assert (found.verdict, found.rank, found.optimistic_sample_size) == ("clear", 22, 22)
    assert found.error < 1e-6
    assert {unit.layer for unit in found.units} == {0, 1}


def test_channels_of_convolutions_are_merged():
    one = drawn(NETWORKS["convolutions"][0](), seed=5)
    # Every hidden channel three times over, with shares of the weights that follow.
    share = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    wide = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Softplus(),
        nn.Conv2d(3, 6, 2, bias=False), nn.SiLU(), nn.Flatten(), nn.Linear(24, 2),
    ).double()  # fmt: skip
    with torch.no_grad():
        for part, other in zip(wide, one, strict=True):
            if part is not wide[4] and part is not wide[7]:
                part.load_state_dict(other.state_dict())
        wide[4].weight.copy_(one[4].weight.repeat(3, 1, 1, 1))
        blocks = one[7].weight.reshape(2, 1, 2, 4) * share[None, :, None, None]
        wide[7].weight.copy_(blocks.reshape(2, 24))
        wide[7].bias.copy_(one[7].bias)
    x = normal(120, 2, 6, 6, seed=4)
    assert torch.allclose(wide(x), one(x))
    found = llr.condense(wide, x)
    assert found.widths == (3, 2)
    assert found.verdict == "clear"
    assert found.error < 1e-6
    assert (found.network[4].out_channels, found.network[7].in_features) == (2, 8)


def test_every_unit_has_a_fate():
    narrow = drawn(llr.TwoLayerTanhMLP(3, width=2, hidden_bias=False))
    wide = llr.TwoLayerTanhMLP(3, width=4, hidden_bias=False)
    with torch.no_grad():
        w, a = narrow.hidden.weight, narrow.output.weight[0]
        wide.hidden.weight.copy_(torch.stack([w[0], -w[0], w[1], 0.1 * w[0] + w[1]]))
        wide.output.weight.copy_(torch.stack([a[0], a[0] * 0.3, a[1], a[1] * 1e-14])[None])
    found = llr.condense(wide)
    assert found.width == 2
    fates = [unit.fate for unit in found.units]
    assert fates == ["merged", "merged", "merged", "negligible"]
    assert found.units[0].neuron == found.units[1].neuron != found.units[2].neuron
    assert found.units[0].correlation * found.units[1].correlation < 0
    assert found.units[3].neuron is None


def test_an_error_may_be_stated():
    wide = drawn(llr.TwoLayerTanhMLP(2, width=8))
    found = llr.condense(wide, tol=0.05, max_width=6)
    assert found.width == next(k for k, e in enumerate(found.curve.errors, 1) if e <= 0.05)
    assert found.error <= 0.05
    assert found.rank is not None


def test_the_model_is_not_changed_and_float32_is_read():
    wide = llr.TwoLayerTanhMLP(2, width=3, generator=stream(), dtype=torch.float32)
    before = {name: value.clone() for name, value in wide.state_dict().items()}
    found = llr.condense(wide, max_width=2)
    assert next(found.network.parameters()).dtype == torch.float64
    assert all(torch.equal(before[name], value) for name, value in wide.state_dict().items())
    assert wide.hidden.weight.dtype == torch.float32


def test_results_print_draw_and_export():
    found = llr.condense(drawn(llr.TwoLayerTanhMLP(2, width=2, hidden_bias=False)), seed=3)
    row = json.loads(found.to_json())
    assert row["width"] == found.summary()["width"] == 2
    assert row["errors"] == list(found.curve.errors)
    assert "units of the wide network" in repr(found)
    assert "<table>" in found._repr_html_()
    line = found.plot().get_lines()[0]
    assert list(line.get_ydata()) == list(found.curve.errors)


@pytest.mark.parametrize(
    ("model", "x", "options", "words"),
    [
        (lambda: nn.Sequential(nn.Linear(2, 1)), None, {}, "at least one hidden layer"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.PReLU(), nn.Linear(2, 1)), None, {}, "chain"),
        (lambda: llr.TwoLayerTanhMLP(2, width=2), normal(4, 2), {}, "more samples"),
        (lambda: llr.TwoLayerTanhMLP(2, width=2), torch.zeros(50, 2), {}, "constant"),
        (lambda: llr.TwoLayerTanhMLP(2, width=2), None, {"tol": 2.0}, "tol"),
        (lambda: llr.TwoLayerTanhMLP(2, width=2), None, {"max_width": 0}, "max_width"),
        (lambda: lambda params, x: x, None, {}, "nn.Module"),
    ],
)
def test_what_cannot_be_condensed_is_refused(model, x, options, words: str):
    with pytest.raises((InvalidInputError, UnsupportedModuleError), match=words):
        llr.condense(model(), x, **options)


@pytest.mark.parametrize(
    ("errors", "width", "verdict"),
    [
        ((0.2, 0.09, 2e-6, 2e-6, 1e-6), 3, "clear"),
        ((0.1, 0.1, 0.07, 0.05), None, "none"),
        ((6e-5, 5e-5, 1e-5), 1, "clear"),
        ((0.3, 1e-3, 1e-15), 3, "clear"),
        ((0.05, 1.5e-3, 4e-4, 4e-5, 6e-7, 4e-7, 4e-8, 6e-11), 8, "ambiguous"),
        ((0.5, 0.02), None, "none"),  # below 0.01 it never is
        ((0.18, 0.1, 3e-3, 2e-3, 7e-4, 2e-5, 7e-6, 1e-7), None, "none"),
    ],
)
def test_the_edge_of_a_curve(errors, width, verdict):
    curve = read_curve(errors, None, 30)
    assert (curve.width, curve.verdict) == (width, verdict)


def test_the_own_width_of_a_smooth_curve_is_no_edge():
    errors = (0.3, 1e-2, 1e-3, 1e-15)
    assert read_curve(errors, None, 4).verdict == "none"
    assert read_curve(errors, None, 5).width == 4


@given(st.lists(st.floats(1e-15, 1.0), min_size=1, max_size=8), st.floats(1e-12, 0.5))
def test_a_stated_error_gives_the_first_width_that_reaches_it(errors, tol):
    curve = read_curve(tuple(errors), tol, 30)
    reached = [k for k, error in enumerate(errors, 1) if error <= tol]
    assert curve.width == (reached[0] if reached else None)
    assert (curve.verdict == "none") == (not reached)
