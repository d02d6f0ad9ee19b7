"""The closed form of attention against the rank measured on modules, and proved on small ones."""

from __future__ import annotations

import pytest
import torch
from tests.cases import generic
from tests.reference.attention import RotaryAttention, TorchAttention
from torch import nn
from torch.func import functional_call, jacrev
from torch.nn.attention import SDPBackend, sdpa_kernel

from llr.certify import certify_rank
from llr.errors import InvalidInputError
from llr.theory import attention_rank


def measured(module: nn.Module) -> int:
    """Rank of the tangent matrix at many random sequences, with a gap in its singular values."""
    count = sum(p.numel() for p in module.parameters())
    n = 2 * count // module.in_features + 4
    stream = torch.Generator().manual_seed(0)
    x = 1.5 * torch.randn(n, module.in_features, generator=stream, dtype=torch.float64)
    params = {name: p.detach() for name, p in module.named_parameters()}
    with sdpa_kernel(SDPBackend.MATH):
        blocks = jacrev(lambda theta: functional_call(module, theta, (x,)))(params)
    rows = torch.cat([b.reshape(n * module.in_features, -1) for b in blocks.values()], dim=1)
    values = torch.linalg.svdvals(rows)
    relative = values / values[0]
    rank = int((relative > 1e-11).sum())
    assert relative[rank - 1] > 1e-9  # far from what rounding leaves
    return rank


@pytest.mark.parametrize(("d", "heads"), [(2, 1), (4, 2), (4, 4), (6, 2)])
@pytest.mark.parametrize("bias", [False, True])
def test_pytorch_attention_has_the_rank_of_the_formula(d: int, heads: int, bias: bool) -> None:
    module = generic(TorchAttention(d, heads, 3, bias=bias), std=0.7)
    assert attention_rank(d, heads, d // heads, d // heads, bias=bias).value == measured(module)


@pytest.mark.parametrize(
    ("d", "heads", "d_k", "d_v"), [(3, 2, 2, 1), (2, 1, 4, 3), (3, 1, 2, 2), (1, 2, 2, 1)]
)
@pytest.mark.parametrize("rope", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_heads_of_any_width_have_the_rank_of_the_formula(
    d: int, heads: int, d_k: int, d_v: int, rope: bool, bias: bool, causal: bool
) -> None:
    options = {"rope": rope, "bias": bias, "causal": causal}
    module = generic(RotaryAttention(d, heads, d_k, d_v, d_k // 2 + 3, **options), std=0.7, seed=1)
    assert attention_rank(d, heads, d_k, d_v, rope=rope, bias=bias).value == measured(module)


@pytest.mark.parametrize("rope", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_the_rank_is_proved_on_small_modules(rope: bool, bias: bool) -> None:
    module = generic(RotaryAttention(2, 1, 2, 1, 4, rope=rope, bias=bias), std=0.7, seed=2)
    stream = torch.Generator().manual_seed(0)
    x = torch.randn(12, module.in_features, generator=stream, dtype=torch.float64)
    wanted = attention_rank(2, 1, 2, 1, rope=rope, bias=bias).value
    proved = certify_rank(module, x)
    assert proved.lower == wanted == proved.upper


def test_two_tokens_suffice_without_rope() -> None:
    module = generic(RotaryAttention(3, 2, 2, 2, 2, rope=False, bias=True), std=0.7)
    assert measured(module) == attention_rank(3, 2, 2, 2, bias=True).value


def test_key_biases_change_nothing_in_any_direction() -> None:
    d, d_k = 3, 2
    module = RotaryAttention(d, 1, d_k, 1, 3, rope=False, bias=True)
    x = torch.randn(5, module.in_features, dtype=torch.float64)
    before = module(x)
    with torch.no_grad():
        module.key[0].bias += torch.tensor([1.0, -2.0])
    torch.testing.assert_close(module(x), before)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="d_k must be even with rope=True"):
        attention_rank(4, 2, 3, 2, rope=True)
    with pytest.raises(InvalidInputError, match="heads"):
        attention_rank(4, 0, 2, 2)
