"""The papers' formulas against the formal rank over a grid of sizes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.cases import BIASES, generic

from llr.errors import InvalidInputError
from llr.models import (
    MLP,
    MatrixFactorization,
    NoShareTanhConv1D,
    NoShareTanhConv2D,
    SharedTanhConv1D,
    SharedTanhConv2D,
    TwoLayerTanhMLP,
)
from llr.theory import (
    deep_network_bound,
    diagonal_network_size,
    formal_rank,
    fully_connected_rank,
    fully_connected_size,
    linear_network_size,
    linear_size,
    matrix_factorization_rank,
    matrix_factorization_size,
    relu_network_bound,
    shared_convolution_size,
    toy_linear_size,
    toy_nonlinear_size,
    unshared_convolution_size,
)

biases_of = pytest.mark.parametrize(("hidden_bias", "output_bias"), BIASES)


@biases_of
@pytest.mark.parametrize("d", [1, 2, 5, 9])
@pytest.mark.parametrize("k", [1, 2, 7])
def test_theorem_4_is_the_rank_of_a_generic_fully_connected_network(
    d: int, k: int, hidden_bias: bool, output_bias: bool
) -> None:
    biases = {"hidden_bias": hidden_bias, "output_bias": output_bias}
    model = generic(TwoLayerTanhMLP(d, width=k, **biases))
    assert fully_connected_size(d, width=k, **biases).value == formal_rank(model)


@biases_of
@pytest.mark.parametrize("kernels", [1, 3])
@pytest.mark.parametrize(
    ("d", "s", "n_axes"), [(3, 1, 1), (5, 3, 1), (8, 8, 1), (3, 2, 2), (6, 3, 2), (4, 4, 2)]
)
def test_theorems_5_and_6_are_the_ranks_of_generic_convolutions(
    d: int, s: int, n_axes: int, kernels: int, hidden_bias: bool, output_bias: bool
) -> None:
    biases = {"hidden_bias": hidden_bias, "output_bias": output_bias}
    shared = SharedTanhConv1D if n_axes == 1 else SharedTanhConv2D
    unshared = NoShareTanhConv1D if n_axes == 1 else NoShareTanhConv2D
    sizes = {"kernels": kernels, "kernel_size": s, "n_axes": n_axes, **biases}
    model = generic(shared(d, width=kernels, kernel_size=s, **biases))
    assert shared_convolution_size(d, **sizes).value == formal_rank(model)
    model = generic(unshared(d, width=kernels, kernel_size=s, **biases))
    assert unshared_convolution_size(d, **sizes).value == formal_rank(model)


def test_table_3_has_the_papers_numbers() -> None:
    sizes = {"kernels": 1, "kernel_size": 3, "n_axes": 2}
    assert shared_convolution_size(28, **sizes).value == 685
    assert unshared_convolution_size(28, **sizes).value == 6_760
    assert fully_connected_size(28**2, width=26**2).value == 530_660


rows = st.lists(
    st.tuples(st.sampled_from([(0, 0), (1, 0), (-1, 0), (1, 2)]), st.sampled_from([0, 1, -2])),
    min_size=1,
    max_size=6,
)


@given(rows)
def test_corollary_7_is_the_rank_wherever_units_coincide_or_vanish(
    units: list[tuple[tuple[int, int], int]],
) -> None:
    model = TwoLayerTanhMLP(2, width=len(units), hidden_bias=False)
    params = {
        "hidden.weight": torch.tensor([w for w, _ in units]).double(),
        "output.weight": torch.tensor([[a for _, a in units]]).double(),
    }
    up_to_sign = [max(w, (-w[0], -w[1])) for w, _ in units]
    distinct = {w for w in up_to_sign if w != (0, 0)}
    effective = {w for w, (_, a) in zip(up_to_sign, units, strict=True) if a}
    closed_form = fully_connected_rank(2, distinct=len(distinct), effective=len(effective))
    assert closed_form.value == formal_rank(model, params=params)


@pytest.mark.parametrize(("d1", "d2", "q"), [(4, 4, 4), (3, 6, 2), (5, 2, 4)])
def test_factorization_forms_agree_with_the_formal_rank(d1: int, d2: int, q: int) -> None:
    model = generic(MatrixFactorization(d1, d2, width=q))
    left, right = min(d1, q), min(q, d2)
    form = matrix_factorization_rank(d1, d2, left_rank=left, right_rank=right)
    assert form.value == formal_rank(model)
    rho = min(left, right)
    least = matrix_factorization_rank(d1, d2, left_rank=rho, right_rank=rho)
    assert matrix_factorization_size(d1, d2, rank=rho).value == least.value <= form.value


@pytest.mark.parametrize("widths", [[2], [5], [3, 2], [4, 4, 3]])
@pytest.mark.parametrize("output_bias", [False, True])
def test_linear_network_form_is_the_generic_rank(widths: list[int], output_bias: bool) -> None:
    model = generic(
        MLP(
            4,
            widths=widths,
            output_dim=3,
            activation="identity",
            hidden_bias=False,
            output_bias=output_bias,
        )
    )
    form = linear_network_size(4, 3, rank=min(3, *widths), output_bias=output_bias)
    assert form.value == formal_rank(model)


@pytest.mark.parametrize("bias", [False, True])
def test_linear_size_is_the_number_of_parameters(bias: bool) -> None:
    model = MLP(4, widths=[], output_dim=3, output_bias=bias)
    count = sum(p.numel() for p in model.parameters())
    assert linear_size(4, 3, bias=bias).value == count == formal_rank(model)


@biases_of
@pytest.mark.parametrize("widths", [[], [3], [3, 2], [4, 1, 5]])
@pytest.mark.parametrize("c", [1, 3])
def test_deep_bound_counts_the_narrow_networks_parameters(
    widths: list[int], c: int, hidden_bias: bool, output_bias: bool
) -> None:
    biases = {"hidden_bias": hidden_bias, "output_bias": output_bias}
    model = MLP(4, widths=widths, output_dim=c, **biases)
    count = sum(p.numel() for p in model.parameters())
    bound = deep_network_bound(4, widths=widths, output_dim=c, **biases)
    assert bound.value == count
    relu = relu_network_bound(4, widths=widths, output_dim=c, **biases)
    assert relu.value == count - sum(widths)


@biases_of
@pytest.mark.parametrize("widths", [[3], [3, 2]])
@pytest.mark.parametrize("c", [1, 2])
def test_formula_texts_evaluate_to_the_values(
    widths: list[int], c: int, hidden_bias: bool, output_bias: bool
) -> None:
    biases = {"hidden_bias": hidden_bias, "output_bias": output_bias}
    letters = {"d": 7, "s": 3, "k": 4, "K": 2, "c": c, "mp1": widths[0], "mp2": widths[-1]}

    def value(text: str) -> int:
        source = text.replace("m'_", "mp").replace("^", "**")
        for left in ("d", "K", "k", "rho", "mp1", "mp2", ")"):
            for right in ("(", "c", "mp1", "mp2"):
                source = source.replace(f"{left} {right}", f"{left} * {right}")
        return eval(source, {}, letters)

    forms = [
        fully_connected_size(7, width=4, **biases),
        shared_convolution_size(7, kernels=2, kernel_size=3, n_axes=1, **biases),
        shared_convolution_size(7, kernels=2, kernel_size=3, n_axes=2, **biases),
        unshared_convolution_size(7, kernels=2, kernel_size=3, n_axes=1, **biases),
        unshared_convolution_size(7, kernels=2, kernel_size=3, n_axes=2, **biases),
        deep_network_bound(7, widths=widths, output_dim=c, **biases),
        relu_network_bound(7, widths=widths, output_dim=c, **biases),
    ]
    for form in forms:
        assert value(form.formula) == form.value, form


def test_small_forms() -> None:
    assert toy_linear_size().value == 3
    assert [toy_nonlinear_size(a).value for a in (0.0, -2.0)] == [2, 3]
    assert diagonal_network_size(0).value == 0
    assert [matrix_factorization_size(4, 4, rank=r).value for r in (1, 2, 3, 4)] == [7, 12, 15, 16]


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="kernel_size must be at most input_dim = 3"):
        shared_convolution_size(3, kernels=1, kernel_size=4)
    with pytest.raises(InvalidInputError, match="n_axes must be 1 or 2"):
        unshared_convolution_size(3, kernels=1, kernel_size=2, n_axes=3)
    with pytest.raises(InvalidInputError, match="rank must be at most 2"):
        matrix_factorization_size(2, 5, rank=3)
    with pytest.raises(InvalidInputError, match="effective must be at most"):
        fully_connected_rank(2, distinct=1, effective=3)
