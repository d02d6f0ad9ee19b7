"""The table of activations: each derivative is automatic differentiation's, each module known."""

from typing import get_args

import pytest
import torch
from torch import nn

from llr.errors import InvalidInputError
from llr.models import ACTIVATIONS, Activation, Pointwise, activation_of

KINKS = [-6.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 20.0]


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_derivative_is_that_of_autograd_kinks_included(name, dtype):
    stream = torch.Generator().manual_seed(0)
    z = torch.cat(
        [torch.tensor(KINKS), torch.linspace(-25, 25, 997), torch.randn(100, generator=stream)]
    )
    z = z.to(dtype).requires_grad_()
    row = ACTIVATIONS[name]
    value = row.function(z)
    value.sum().backward()
    slope = row.derivative(z.detach())
    assert value.dtype == slope.dtype == dtype
    tolerance = 100 * torch.finfo(dtype).eps
    if name == "hardsigmoid":  # PyTorch multiplies by 1 / 6 rounded to float32
        tolerance = 1e-7
    torch.testing.assert_close(slope, z.grad, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_module_computes_the_function_and_is_recognised(name):
    row, z = ACTIVATIONS[name], torch.linspace(-8, 8, 101, dtype=torch.float64)
    made = [kind(**options) for kind, options in row.modules.items()]
    for module in (*made, Pointwise(name)):
        assert activation_of(module) is row
        assert torch.equal(module(z), row.function(z))


@pytest.mark.parametrize(
    "module",
    [
        nn.Softplus(beta=2),
        nn.LeakyReLU(0.2),
        nn.Hardtanh(0, 1),
        nn.ELU(0.5),
        nn.GELU("tanh"),
        nn.PReLU(),
        nn.Linear(1, 1),
        type("MyTanh", (nn.Tanh,), {})(),
    ],
    ids=repr,
)
def test_other_options_and_other_modules_are_not_recognised(module):
    found = activation_of(module)
    assert found is None or found.name == "gelu_tanh"


def test_a_wrong_name_lists_the_valid_ones():
    with pytest.raises(InvalidInputError, match="Did you mean 'gaussian'"):
        Pointwise("gausian")
    assert repr(Pointwise("sin")) == "Pointwise('sin')"


def test_the_names_of_deep_networks_are_names_of_the_table():
    assert set(get_args(Activation)) <= set(ACTIVATIONS)
