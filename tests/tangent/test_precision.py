"""Rounding below float64 inside a model is noticed and said in the verdict."""

import pytest
import torch
from torch import nn

import llr
from llr.tangent import model_rank, rank_curve, tangent_matrix


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class OneFunction(nn.Module):
    """(sum_q k_q theta_q x)^2: every derivative is a multiple of x^2, but for rounding inside."""

    def __init__(self, inside: torch.dtype, *, detached: bool = False):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([1.0, 2.0, 3.0, 0.5]).double())
        self.inside, self.detached = inside, detached

    def forward(self, x):
        factors = torch.tensor([0.1, 0.3, 0.7, 1.1], dtype=self.inside)
        if self.detached:
            gate = (self.theta.detach() * x).to(self.inside) * factors
            return (self.theta * gate.to(x.dtype)).sum(1, keepdim=True)
        h = ((self.theta * x).to(self.inside) * factors).sum(1, keepdim=True)
        return (h * h / 7.0).to(x.dtype)


@pytest.mark.parametrize("inside", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("param_error", [None, 0.0])
@pytest.mark.parametrize("method", ["dense", "chunked", "sketched"])
def test_a_cast_below_float64_makes_the_verdict_ambiguous_and_names_the_format(
    inside, param_error, method
):
    result = model_rank(OneFunction(inside), normal(6, 1), param_error=param_error, method=method)
    assert (result.rank, result.verdict) == (1, "ambiguous")
    name = str(inside).removeprefix("torch.")
    assert f"computes in {name} inside" in result.message


def test_the_same_function_in_float64_is_clear():
    result = model_rank(OneFunction(torch.float64), normal(6, 1), param_error=0.0)
    assert (result.rank, result.verdict, result.message) == (1, "clear", "")


def test_a_cast_behind_a_detach_is_noticed_too():
    result = model_rank(OneFunction(torch.float32, detached=True), normal(6, 1))
    assert result.verdict == "ambiguous"
    assert "float32 inside" in result.message


def test_the_curve_and_the_llr_test_say_so_too():
    model, x = OneFunction(torch.float32), normal(6, 1)
    assert rank_curve(model, x).verdict == "ambiguous"
    checked = llr.check_llr(model, x)
    assert (checked.verdict, checked.model_rank) == ("ambiguous", 1)
    assert "float32 inside" in checked.message


class Rounded(nn.Module):
    """A network of inputs rounded to float32, with a constant made in float32."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 3)

    def forward(self, x):
        rounded = x.float().to(self.layer.weight.dtype)
        return self.layer(rounded) + torch.linspace(0.0, 1.0, 3, dtype=torch.float32)


def test_rounded_inputs_and_constants_only_make_another_function():
    result = model_rank(Rounded(), normal(20, 2))
    assert (result.rank, result.verdict) == (9, "clear")


def test_the_derivative_in_low_precision_is_that_of_autograd():
    model, x = OneFunction(torch.float32), normal(6, 1)
    J = tangent_matrix(model, x)  # without a warning: rounding is no disagreement
    rows = []
    for sample in x:
        rows.append(torch.autograd.grad(model(sample[None]).sum(), model.theta)[0])
    assert torch.allclose(J, torch.stack(rows), rtol=1e-4)
