"""Two independent derivations of every integer: exact algebra, and singular values in three ways.

``theory`` and ``tangent`` share no code beyond the models, so their agreement is evidence.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import CASES, EXACT_CASES, VISIBLE_CASES
from tests.effort import cases
from tests.reference.high_precision_rank import high_precision_rank
from tests.theory.networks import degenerate_networks

import llr
from llr.models import initialize
from llr.recovery import check_llr
from llr.seeds import generator
from llr.tangent import TangentOperator, model_rank, rank_curve, tangent_matrix
from llr.theory import formal_rank, optimistic_sample_size

METHODS = ("dense", "chunked", "sketched")
MOST_PARAMETERS = 40


@pytest.mark.parametrize("case", EXACT_CASES, ids=repr)
def test_the_formal_rank_is_the_known_one(case):
    assert formal_rank(case.build()) == case.rank


@pytest.mark.parametrize("case", VISIBLE_CASES, ids=repr)
def test_the_measured_ranks_are_the_known_one_clear_and_saturated(case):
    model = case.build()
    for method in METHODS:
        result = model_rank(model, method=method)
        found = (result.rank, result.verdict, result.saturated, result.method)
        assert found == (case.rank, "clear", True, method)


@pytest.mark.parametrize("case", [c for c in CASES.values() if not c.visible], ids=repr)
def test_what_float64_cannot_see_is_bounded_from_below(case):
    assert model_rank(case.build()).rank <= case.rank


@pytest.mark.parametrize("case", VISIBLE_CASES, ids=repr)
def test_the_operator_multiplies_as_the_matrix_of_the_case(case):
    model = case.build()
    shape = model_input_shape(model)
    x = torch.randn(6, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    J, operator = tangent_matrix(model, x), TangentOperator(model, x)
    u = torch.linspace(-1, 1, J.shape[0], dtype=torch.float64)
    v = torch.linspace(-1, 1, J.shape[1], dtype=torch.float64)
    scale = J.norm() + 1
    assert (operator @ v - J @ v).norm() < 1e-12 * scale
    assert (operator.T @ u - J.T @ u).norm() < 1e-12 * scale


def model_input_shape(model: torch.nn.Module) -> tuple[int, ...]:
    return model.input_shape if hasattr(model, "input_shape") else (model.in_features,)


@settings(max_examples=cases(60, soak=300))
@given(degenerate_networks(MOST_PARAMETERS), st.sampled_from(METHODS))
def test_a_clear_measured_rank_is_the_exact_one(model, method):
    result = model_rank(model, param_error=0.0, method=method)
    exact = formal_rank(model)
    assert result.rank <= exact
    if result.verdict == "clear":
        assert result.rank == exact


@settings(max_examples=cases(20, soak=100))
@given(degenerate_networks(MOST_PARAMETERS))
def test_the_three_methods_have_one_spectrum(model):
    dense, chunked, sketched = (
        model_rank(model, method=method, param_error=0.0).singular_values for method in METHODS
    )
    largest = float(dense[0])
    above = dense > 1e-6 * largest
    for other in (chunked, sketched):
        count = min(len(dense), len(other))
        assert bool((dense[count:] <= 1e-6 * largest).all())
        kept = above[:count]
        assert torch.allclose(other[:count][kept], dense[:count][kept], rtol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_in_many_digits_the_papers_initialisation_has_the_rank_that_float64_misses(seed):
    model = initialize(llr.SharedTanhConv1D(5, width=1, kernel_size=3), std=1e-10)
    initialize(model, std=1e-10, generator=generator(seed, "init"))
    measured = model_rank(model)
    assert high_precision_rank(model, digits=400) == formal_rank(model) == 7
    assert measured.rank < 7


@pytest.mark.parametrize("hidden_bias", [False, True])
@pytest.mark.parametrize("output_bias", [False, True])
@pytest.mark.parametrize("family", ["mlp", "shared", "unshared"])
def test_generic_samples_recover_from_the_optimistic_sample_size_on(
    family, hidden_bias, output_bias
):
    biases = {"hidden_bias": hidden_bias, "output_bias": output_bias}
    student = {
        "mlp": lambda: llr.TwoLayerTanhMLP(5, width=7, **biases),
        "shared": lambda: llr.SharedTanhConv1D(5, width=3, kernel_size=3, **biases),
        "unshared": lambda: llr.NoShareTanhConv1D(5, width=3, kernel_size=3, **biases),
    }[family]()
    size = optimistic_sample_size(student, llr.PaperTeacherMLP())
    x = torch.randn(30, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert rank_curve(student, x, params=size.witness).saturates_at == size.value
    for n in (size.value - 1, size.value):
        result = check_llr(student, x[:n], params=size.witness)
        assert result.recoverable == (n == size.value)
        assert (result.verdict, result.formal_rank) == ("clear", size.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("widths", "method"),
    [([30, 20], "sketched"), ([25, 25, 10], "dense"), ([25, 25, 10], "chunked")],
)
def test_deep_networks_of_a_thousand_parameters_have_full_rank(widths, method):
    model = llr.MLP(8, widths=widths, generator=generator(0, "init"))
    initialize(model, std=0.5, generator=generator(0, "init"))
    result = model_rank(model, method=method)
    assert result.rank == result.n_params
