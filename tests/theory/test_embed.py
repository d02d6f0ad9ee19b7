"""Embeddings keep the function, the model rank, and criticality for every data set."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import generic
from tests.theory.networks import FAMILIES, degenerate_networks
from torch import Tensor, nn
from torch.func import functional_call

from llr.errors import InvalidInputError, UnsupportedModuleError
from llr.models import (
    MLP,
    AbstractTwoLayerTanh,
    NoShareTanhConv1D,
    NoShareTanhConv2D,
    PaperTeacherMLP,
    SharedTanhConv1D,
    SharedTanhConv2D,
    TwoLayerTanhMLP,
)
from llr.theory import embed, formal_rank

METHODS = ("null", "split", "compatible")

PAIRS: dict[str, Callable[[int], nn.Module]] = {
    "two-layer": lambda n: TwoLayerTanhMLP(3, width=2 * n),
    "two-layer, no bias": lambda n: TwoLayerTanhMLP(3, width=n, hidden_bias=False),
    "shared": lambda n: SharedTanhConv1D(5, width=n, kernel_size=3, output_bias=True),
    "unshared": lambda n: NoShareTanhConv1D(4, width=n, kernel_size=2),
    "shared 2d": lambda n: SharedTanhConv2D(3, width=n, kernel_size=2, hidden_bias=False),
    "unshared 2d": lambda n: NoShareTanhConv2D(3, width=n, kernel_size=2),
    "deep tanh": lambda n: MLP(3, widths=[2 * n, n, n + 1], output_bias=True),
    "deep, two outputs": lambda n: MLP(2, widths=[n, 2 * n], output_dim=2, activation="erf"),
    "deep relu": lambda n: MLP(3, widths=[2 * n, n], activation="relu"),
    "deep gelu": lambda n: MLP(3, widths=[n, n], activation="gelu", hidden_bias=False),
    "sigmoid with output bias": lambda n: MLP(
        3, widths=[n, n], activation="sigmoid", output_bias=True
    ),
    "sequential": lambda n: nn.Sequential(
        nn.Linear(3, n), nn.Tanh(), nn.Linear(n, n), nn.Tanh(), nn.Linear(n, 1)
    ).double(),
    "linear": lambda n: MLP(3, widths=[n, n], activation="identity"),
}

every_pair = pytest.mark.parametrize("pair", PAIRS)
every_method = pytest.mark.parametrize("method", METHODS)


def inputs_for(model: nn.Module, n: int) -> Tensor:
    shape = getattr(model, "input_shape", (3,))
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(1)).double()


def loss_gradient(model: nn.Module, params: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Gradient of the mean squared error, all parameters in a row."""
    leaves = {name: value.detach().clone().requires_grad_() for name, value in params.items()}
    loss = (functional_call(model, leaves, (x,)) - y).square().mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(leaves.values()))])


def labels_at_a_critical_point(model: nn.Module, x: Tensor) -> Tensor:
    """Labels whose residuals are orthogonal to every tangent function: the gradient vanishes."""
    params = {name: p.detach() for name, p in model.named_parameters()}
    jacobian = torch.func.jacrev(lambda q: functional_call(model, q, (x,)).flatten())(params)
    columns = torch.cat([j.reshape(j.shape[0], -1) for j in jacobian.values()], dim=1)
    residual = torch.randn(len(columns), generator=torch.Generator().manual_seed(2)).double()
    basis, scale, _ = torch.linalg.svd(columns, full_matrices=False)
    basis = basis[:, scale > 1e-14 * scale[0]]
    residual = residual - basis @ (basis.T @ residual)
    outputs = model(x).detach()
    return outputs + residual.reshape(outputs.shape)


@every_pair
@every_method
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_the_wide_network_computes_the_same_function(
    pair: str, method: str, seed: int | None
) -> None:
    narrow, wide = generic(PAIRS[pair](2)), PAIRS[pair](5)
    stream = None if seed is None else torch.Generator().manual_seed(seed)
    params = embed(narrow, wide, method=method, generator=stream)
    assert list(params) == [name for name, _ in wide.named_parameters()]
    x = inputs_for(narrow, 6)
    torch.testing.assert_close(functional_call(wide, params, (x,)), narrow(x))


@every_pair
@every_method
def test_a_critical_point_stays_critical(pair: str, method: str) -> None:
    narrow, wide = generic(PAIRS[pair](1)), PAIRS[pair](3)
    x = inputs_for(narrow, 60)
    y = labels_at_a_critical_point(narrow, x)
    own = {name: p.detach() for name, p in narrow.named_parameters()}
    assert float((narrow(x) - y).detach().square().mean()) > 0.1  # far from a global minimum
    assert float(loss_gradient(narrow, own, x, y).norm()) < 1e-10
    params = embed(narrow, wide, method=method, generator=torch.Generator().manual_seed(0))
    assert float(loss_gradient(wide, params, x, y).norm()) < 1e-10


@settings(max_examples=150)
@given(degenerate_networks(most_parameters=50), st.sampled_from(METHODS), st.integers(0, 2**32))
def test_the_model_rank_is_the_same_at_any_point(
    narrow: AbstractTwoLayerTanh, method: str, seed: int
) -> None:
    structure = narrow.structure
    kind = next(name for name, build in FAMILIES.items() if type(build(3, 1, 1)) is type(narrow))
    s = round(structure.window_size ** (1 / len(structure.input_shape)))
    wide = FAMILIES[kind](
        structure.input_shape[0],
        2 * structure.channels + 1,
        s,
        hidden_bias=structure.hidden_bias,
        output_bias=structure.output_bias,
    )
    stream = torch.Generator().manual_seed(seed)
    params = embed(narrow, wide, method=method, generator=stream)
    assert formal_rank(wide, params=params) == formal_rank(narrow)
    x = inputs_for(narrow, 4)
    torch.testing.assert_close(functional_call(wide, params, (x,)), narrow(x))


def test_splitting_keeps_the_rank_of_shared_kernels_to_the_last_bit() -> None:
    narrow = generic(SharedTanhConv1D(5, width=1, kernel_size=3))
    wide = SharedTanhConv1D(5, width=40, kernel_size=3)
    for method in METHODS:
        assert formal_rank(wide, params=embed(narrow, wide, method=method)) == 7


def test_equal_seeds_give_equal_embeddings_and_the_global_stream_is_left_alone() -> None:
    narrow, wide = PaperTeacherMLP(), TwoLayerTanhMLP(5, width=9, hidden_bias=False)
    state = torch.random.get_rng_state()
    draws = [
        embed(narrow, wide, method="compatible", generator=torch.Generator().manual_seed(seed))
        for seed in (3, 3, 4)
    ]
    assert torch.equal(draws[0]["hidden.weight"], draws[1]["hidden.weight"])
    assert not torch.equal(draws[0]["hidden.weight"], draws[2]["hidden.weight"])
    fixed = [embed(narrow, wide, method="compatible") for _ in range(2)]
    assert torch.equal(fixed[0]["output.weight"], fixed[1]["output.weight"])
    assert torch.equal(state, torch.random.get_rng_state())


def test_compatible_embeddings_use_null_split_and_flipped_units() -> None:
    narrow, wide = PaperTeacherMLP(), TwoLayerTanhMLP(5, width=30, hidden_bias=False)
    params = embed(narrow, wide, method="compatible")
    weight, output = params["hidden.weight"], params["output.weight"][0]
    assert bool(((weight == 0).all(dim=1) & (output == 0)).any())
    assert bool((weight.sum(dim=1) < 0).any())
    assert int((output != 0).sum()) > 3


def test_null_units_of_a_sigmoid_network_are_refused_with_the_remedy() -> None:
    narrow = generic(MLP(3, widths=[2], activation="sigmoid"))
    wide = MLP(3, widths=[4], activation="sigmoid")
    with pytest.raises(InvalidInputError, match=r"sigmoid, 0\.5 at 0.*Use method='split'"):
        embed(narrow, wide, method="null")
    for method in ("split", "compatible"):
        params = embed(narrow, wide, method=method)
        assert not bool((params["layers.0.weight"] == 0).all(dim=1).any())
    same = embed(narrow, narrow, method="null")
    assert torch.equal(same["layers.0.weight"], narrow.layers[0].weight)


def test_parameters_come_in_the_wide_networks_dtype() -> None:
    narrow = PaperTeacherMLP()
    wide = TwoLayerTanhMLP(5, width=4, hidden_bias=False, dtype=torch.float32)
    assert {value.dtype for value in embed(narrow, wide).values()} == {torch.float32}


@pytest.mark.parametrize(
    ("narrow", "wide", "words"),
    [
        (TwoLayerTanhMLP(3, width=4), TwoLayerTanhMLP(3, width=3), "at least as wide"),
        (TwoLayerTanhMLP(3, width=1), TwoLayerTanhMLP(4, width=3), "input size"),
        (MLP(3, widths=[2]), MLP(3, widths=[2, 2]), "depth"),
        (MLP(3, widths=[2]), MLP(3, widths=[2], output_dim=2), "output size"),
        (MLP(3, widths=[2], activation="sin"), MLP(3, widths=[2]), "activation"),
        (PaperTeacherMLP(), TwoLayerTanhMLP(5, width=4), "layers with a bias"),
        (
            SharedTanhConv1D(5, width=1, kernel_size=2),
            SharedTanhConv1D(5, width=2, kernel_size=3),
            "windows",
        ),
        (
            SharedTanhConv1D(5, width=1, kernel_size=3),
            NoShareTanhConv1D(5, width=2, kernel_size=3),
            "weight sharing",
        ),
        (
            SharedTanhConv1D(5, width=1, kernel_size=3, output_bias=True),
            SharedTanhConv1D(5, width=2, kernel_size=3),
            "biases",
        ),
    ],
)
def test_networks_that_do_not_match_are_refused(
    narrow: nn.Module, wide: nn.Module, words: str
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        embed(narrow, wide)


def test_other_modules_are_refused() -> None:
    with pytest.raises(UnsupportedModuleError, match="two fully connected networks"):
        embed(nn.Conv1d(1, 1, 3), nn.Conv1d(1, 2, 3))
    with pytest.raises(InvalidInputError, match="method must be one of"):
        embed(PaperTeacherMLP(), PaperTeacherMLP(), method="nul")
