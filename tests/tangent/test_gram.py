"""J J^T by layers and by column blocks is the product of J with itself, whatever the budget."""

import warnings

import pytest
import torch
from tests.tangent.zoo import ZOO, built
from torch import nn

from llr.tangent import TangentOperator
from llr.tangent._column_blocks import column_blocks
from llr.tangent._gram import row_gram
from llr.tangent._layer_gram import plan_parts

ROUNDING = 1e-13


def operator_on(name: str, n: int = 7) -> TangentOperator:
    x = ZOO[name].inputs(n, torch.Generator().manual_seed(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return TangentOperator(built(name), x)


def source() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("budget", [2**30, 4000])
def test_the_gram_matrix_is_the_product_of_the_matrix_with_itself(name, budget):
    operator = operator_on(name)
    dense = operator.to_dense()
    gram = row_gram(operator, budget, generator=source())
    assert (gram - dense @ dense.T).abs().max() < ROUNDING * dense.norm() ** 2


@pytest.mark.parametrize(
    "name", ["fully connected", "convolutions", "weight norm", "tied transpose"]
)
@pytest.mark.parametrize("width", [1, 7, 1000])
def test_column_blocks_make_up_the_matrix(name, width):
    operator = operator_on(name)
    blocks = list(column_blocks(operator, 8 * operator.shape[0] * width))
    assert all(block.shape[1] <= width for block in blocks)
    dense = operator.to_dense()
    assert (torch.cat(blocks, dim=1) - dense).abs().max() < ROUNDING * dense.abs().max()


def known(name: str) -> set[str]:
    """Which parameters are taken by layers."""
    return {part.name for part in plan_parts(operator_on(name), 2**30)}


def test_layers_are_recognised_so_that_no_large_matrix_is_formed():
    wide = nn.Sequential(nn.Linear(30, 20), nn.Tanh(), nn.Linear(20, 2))
    operator = TangentOperator(wide, torch.randn(7, 30, generator=source()))
    assert [(part.name, type(part).__name__) for part in plan_parts(operator, 2**30)] == [
        ("0.weight", "FactorsPart"),
        ("0.bias", "RowsPart"),
        ("2.weight", "FactorsPart"),
        ("2.bias", "RowsPart"),
    ]
    assert known("residual block in eval mode") == {
        name for name, _ in built("residual block in eval mode").named_parameters()
    }


def test_a_parameter_with_another_use_is_left_to_general_means():
    assert "encoder.weight" not in known("tied transpose")
    assert "encoder.bias" in known("tied transpose")
    assert known("weight norm") == {"bias"}


class Sneaky(nn.Module):
    """Samples reach a layer rolled by one, so its first axis is not that of the samples."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.out(torch.tanh(self.hidden(x.roll(1, 0))).roll(-1, 0))


def test_a_use_that_looks_like_a_layers_but_is_not_is_found_out():
    x = torch.randn(6, 3, generator=source(), dtype=torch.float64)
    operator = TangentOperator(Sneaky(), x)
    dense = operator.to_dense()
    gram = row_gram(operator, 2**30, generator=source())
    assert (gram - dense @ dense.T).abs().max() < ROUNDING * dense.norm() ** 2
