"""Layered networks by explicit formulas: outputs, gradients and tangent products are autograd's."""

import pytest
import torch
from tests.training.runs import LAYERED, draw_data, draw_model
from torch.func import functional_call

from llr.models import layered_network
from llr.tangent import tangent_matrix
from llr.training._layered_function import LayeredFunction
from llr.training.flow._layered_tangent import LayeredTangent

RTOL = 1e-13


def function_of(model, x) -> LayeredFunction:
    network = layered_network(model, tuple(x.shape[1:]))
    assert network is not None
    return LayeredFunction(network, x.device)


@pytest.mark.parametrize("name", LAYERED)
def test_outputs_and_gradients_of_several_runs_are_those_of_autograd(name):
    models = [draw_model(name, seed) for seed in range(2)]
    x, _ = draw_data(models[0], 5, 0)
    named = [dict(model.named_parameters()) for model in models]
    function = function_of(models[0], x)
    params = {key: torch.stack([p[key].detach() for p in named]) for key in named[0]}
    outputs, tape = function(params, function.values_of(torch.stack([x, x + 0.1])))
    error = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(0)).double()
    gradient = function.gradient(tape, error, list(params))
    for run, model in enumerate(models):
        wanted = functional_call(model, named[run], (x + 0.1 * run,))
        torch.testing.assert_close(outputs[run], wanted.detach(), rtol=RTOL, atol=RTOL)
        slopes = torch.autograd.grad((wanted * error[run]).sum(), list(named[run].values()))
        for key, slope in zip(named[run], slopes, strict=True):
            got = gradient[key][run].view_as(slope)
            torch.testing.assert_close(got, slope, rtol=RTOL, atol=RTOL)


@pytest.mark.parametrize("trained", ["all", "weights", "biases"])
@pytest.mark.parametrize("name", LAYERED)
def test_products_with_the_tangent_matrix_are_those_of_the_matrix(name, trained):
    model = draw_model(name, 0)
    x, _ = draw_data(model, 5, 0)
    wanted = {"weights": "weight", "biases": "bias", "all": ""}[trained]
    for key, parameter in model.named_parameters():
        parameter.requires_grad_(wanted in key)
    params = {key: p.detach() for key, p in model.named_parameters()}
    shapes = {key: p.shape for key, p in model.named_parameters() if p.requires_grad}
    if not shapes:
        pytest.skip("a network without biases")
    columns = [wanted in key for key, p in params.items() for _ in range(p.numel())]
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    j = tangent_matrix(model, x)[:, torch.tensor(columns)]
    tangent = LayeredTangent.of(function_of(model, x), params, x, shapes)
    generator = torch.Generator().manual_seed(0)
    u, v = (torch.randn(size, generator=generator).double() for size in j.shape)
    for got, product in (
        (tangent.gram(), j @ j.T),
        (tangent.apply(v), j @ v),
        (tangent.transpose(u), j.T @ u),
    ):
        assert (got - product).norm() <= RTOL * (j.norm() + product.norm())
