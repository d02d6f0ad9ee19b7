"""The model rank: by every method, at trained points, with its verdict and on any samples."""

import json
import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tangent.zoo import ZOO, built
from torch import nn

import llr
from llr.errors import InvalidInputError, UnsupportedModuleError
from llr.models import encode_entries, initialize
from llr.seeds import generator
from llr.tangent import LOWER_BOUND_NOTE, model_rank, tangent_matrix
from llr.theory import embed

METHODS = ("dense", "chunked", "sketched")


def normal(n: int, *shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(
        n, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ZOO)
def test_every_method_finds_the_rank_of_the_matrix(name, method):
    model, x = built(name), ZOO[name].inputs(30, torch.Generator().manual_seed(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        J = tangent_matrix(model, x)
        result = model_rank(model, x, method=method)
    assert result.rank == int(torch.linalg.matrix_rank(J))
    assert result.method == method
    assert result.verdict == "clear"
    assert (result.n_rows, result.n_params) == J.shape
    exact = torch.linalg.svdvals(J)[: result.rank]
    assert torch.allclose(result.singular_values[: result.rank], exact, rtol=1e-4)


# --- Trained points --------------------------------------------------------------------------
def near_target(neurons: int, width: int, method: str, error: float) -> tuple[nn.Module, int]:
    """A target in a wider network, every parameter off by ``error``; and the target's rank."""
    target = llr.TwoLayerTanhMLP(5, width=neurons, hidden_bias=False)
    initialize(target, std=1.0, generator=generator(neurons, "target"))
    wide = llr.TwoLayerTanhMLP(5, width=width, hidden_bias=False)
    source = generator(width, "noise")
    point = embed(target, wide, method=method, generator=source)
    with torch.no_grad():
        for name, parameter in wide.named_parameters():
            draw = torch.randn(parameter.shape, generator=source, dtype=torch.float64)
            parameter.copy_(point[name] + error * draw)
    return wide, neurons * (5 + 1)


@pytest.mark.parametrize("error", [1e-4, 1e-5, 1e-6, 1e-7, 1e-8])
@pytest.mark.parametrize(("neurons", "width"), [(3, 10), (3, 30), (5, 50)])
@pytest.mark.parametrize("method", ["null", "split"])
def test_a_stated_parameter_error_gives_the_rank_of_the_target_nearby(
    neurons, width, method, error
):
    model, rank = near_target(neurons, width, method, error)
    result = model_rank(model, param_error=error)
    assert (result.rank, result.verdict) == (rank, "clear")
    assert result.textbook_rank > rank
    assert result.param_error == error
    kept, dropped = result.singular_values[rank - 1], result.singular_values[rank]
    assert dropped < result.tolerance < kept


@pytest.mark.parametrize("error", [1e-4, 1e-5, 1e-6, 1e-7, 1e-8])
@pytest.mark.parametrize(("neurons", "width"), [(3, 10), (3, 30), (5, 50)])
def test_without_it_the_gap_is_found_and_the_textbook_count_reported_beside(neurons, width, error):
    model, rank = near_target(neurons, width, "split", error)
    result = model_rank(model)
    assert result.rank == rank
    tolerance = max(result.n_rows, result.n_params) * 2.0**-52 * result.singular_values[0]
    assert result.textbook_rank == int((result.singular_values > tolerance).sum()) > rank
    assert result.verdict == "ambiguous"  # it cannot know that the parameters are inexact
    assert "param_error=" in result.message


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [40, 150])
def test_the_noise_floor_serves_every_method_and_shape(method, n):
    model, rank = near_target(3, 10, "split", 1e-6)
    result = model_rank(model, normal(n, 5), param_error=1e-6, method=method)
    assert (result.rank, result.verdict) == (rank, "clear")


def test_an_overstated_error_by_ten_still_finds_the_rank_and_zero_means_exact():
    model, rank = near_target(3, 10, "split", 1e-6)
    assert model_rank(model, param_error=1e-5).rank == rank
    exact = model_rank(model, param_error=0.0)
    assert exact.rank == exact.textbook_rank > rank


def test_an_error_below_rounding_changes_nothing():
    result = model_rank(llr.PaperTeacherMLP(), param_error=1e-14)
    assert (result.rank, result.verdict) == (18, "clear")


# --- Verdicts --------------------------------------------------------------------------------
@pytest.mark.parametrize("std", [1.0, None])
@pytest.mark.parametrize("seed", range(5))
def test_ten_neurons_in_one_dimension_are_ambiguous(std, seed):
    model = llr.TwoLayerTanhMLP(1, width=10, generator=generator(seed, "init"))
    if std is not None:
        initialize(model, std=std, generator=generator(seed, "init"))
    result = model_rank(model)
    assert result.verdict == "ambiguous"
    assert "llr.formal_rank, which is exact for this network" in result.message
    assert result.rank <= 30


def test_exact_algebra_is_advised_only_where_it_exists():
    deep = llr.MLP(1, widths=[10, 10], generator=generator(0, "init"))
    result = model_rank(deep)
    assert result.verdict == "ambiguous"
    assert "formal_rank" not in result.message


def test_at_the_papers_initialisation_a_wide_gap_hides_the_rank_and_the_result_says_so():
    model = initialize(llr.TwoLayerTanhMLP(5, width=3), std=1e-10, generator=generator(0, "init"))
    result = model_rank(model)
    assert (result.rank, result.verdict) == (6, "clear")
    assert result.gap > 1e12
    assert llr.formal_rank(model) == 21
    assert "lower bound" in LOWER_BOUND_NOTE
    assert LOWER_BOUND_NOTE in repr(result)
    assert LOWER_BOUND_NOTE in result._repr_html_()


# --- Samples ---------------------------------------------------------------------------------
def test_samples_of_the_callers_give_the_empirical_rank():
    model = llr.PaperTeacherMLP()
    few = model_rank(model, normal(11, 5))
    assert (few.rank, few.n_rows, few.saturated) == (11, 11, False)
    assert "more samples could raise it" in repr(few)
    many = model_rank(model, normal(40, 5))
    assert (many.rank, many.n_rows, many.saturated) == (18, 40, True)


def test_saturation_is_tried_with_further_samples_and_not_guessed_from_the_rows():
    model = llr.PaperTeacherMLP()
    repeated = normal(9, 5).repeat(4, 1)
    result = model_rank(model, repeated)
    assert (result.rank, result.n_rows, result.saturated) == (9, 36, False)
    wide = llr.MatrixFactorization(4, 4, width=4)
    initialize(wide, std=1.0, generator=generator(0, "init"))
    index = torch.arange(8)
    entries = encode_entries(index // 4, index % 4, n_rows=4, n_columns=4)
    assert model_rank(wide, entries).saturated is False
    assert model_rank(wide, torch.cat([entries, entries])).saturated is False
    index = torch.arange(16)
    entries = encode_entries(index // 4, index % 4, n_rows=4, n_columns=4)
    assert (model_rank(wide, entries).rank, model_rank(wide, entries).saturated) == (16, False)
    assert model_rank(wide, torch.cat([entries, entries])).saturated is True


@pytest.mark.parametrize(
    ("model", "rank"),
    [
        (nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 4)), 8 + 12),
        (nn.Sequential(nn.Conv1d(2, 1, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4, 1)), 7 + 5),
        (nn.Linear(6, 5), 35),
    ],
)
def test_the_input_shape_is_inferred_from_the_first_layer(model, rank):
    result = model_rank(model)
    assert (result.rank, result.saturated) == (rank, True)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Conv1d(2, 1, 3), nn.AdaptiveAvgPool1d(2)), "more than one would do"),
        (nn.Embedding(3, 2), "none was found"),
        (nn.Sequential(nn.Flatten(), nn.LayerNorm(6), nn.Linear(5, 2)), "none was found"),
    ],
)
def test_an_input_shape_that_cannot_be_told_is_asked_for(model, message):
    with pytest.raises(InvalidInputError, match=rf"{message}.*Pass samples x, or set model"):
        model_rank(model)


def test_a_model_that_is_refused_is_refused_before_its_input_shape_is_sought():
    layer = torch.nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4))
    with pytest.raises(UnsupportedModuleError, match=r"changes the buffer .*\.eval\(\) first"):
        model_rank(nn.Sequential(layer, nn.Tanh()))
    assert model_rank(nn.Sequential(layer, nn.Tanh()).eval()).verdict == "clear"


def test_a_function_needs_samples():
    def line(params, x):
        return x @ params["slope"]

    params = {"slope": torch.ones(3, 2)}
    with pytest.raises(InvalidInputError, match="x is needed"):
        model_rank(line, params=params)
    assert model_rank(line, normal(9, 3), params=params).rank == 6


@pytest.mark.parametrize("seed", range(4))
def test_relu_networks_lose_one_direction_for_each_hidden_neuron(seed):
    widths = [6, 5]
    model = llr.MLP(4, widths=widths, activation="relu", generator=generator(seed, "init"))
    count = sum(p.numel() for p in model.parameters())
    result = model_rank(model, normal(2000, 4, seed=seed))
    dead = result.rank < count - sum(widths)
    assert result.rank <= count - sum(widths)
    assert not dead or seed > 0  # a neuron that no sample switches gives less


@pytest.mark.parametrize("seed", [0, 1])
def test_growth_goes_on_until_the_rank_stands(seed):
    model = llr.MLP(6, widths=[9, 8], generator=generator(seed, "init"))
    initialize(model, std=0.7, generator=generator(seed, "init"))
    count = sum(p.numel() for p in model.parameters())
    result = model_rank(model, seed=seed)
    assert (result.rank, result.n_params) == (count, count)
    assert result.n_rows >= count


def test_growth_that_outgrows_the_memory_says_that_the_rank_is_a_lower_bound():
    model = llr.MLP(6, widths=[40], generator=generator(0, "init"))
    result = model_rank(model, max_memory=1e6)
    assert result.rank == result.n_rows < result.n_params
    assert (result.saturated, result.verdict) == (False, "ambiguous")
    assert f"it is at least {result.rank}" in result.message


# --- Options and the result ------------------------------------------------------------------
def test_results_repeat_bit_by_bit_and_follow_the_seed():
    model = llr.TwoLayerTanhMLP(4, width=6, generator=generator(0, "init"))
    first, again, other = (model_rank(model, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.singular_values, again.singular_values)
    assert not torch.equal(first.singular_values, other.singular_values)
    assert first.rank == other.rank


def test_global_randomness_is_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    model_rank(llr.PaperTeacherMLP(), method="sketched", param_error=1e-9)
    assert torch.equal(torch.get_rng_state(), before)


def test_tolerances_are_those_of_torch():
    model, x = llr.TwoLayerTanhMLP(5, width=4, generator=generator(3, "init")), normal(50, 5)
    J = tangent_matrix(model, x)
    for options in ({}, {"rtol": 1e-2}, {"atol": 0.5}, {"atol": 0.5, "rtol": 0.1}):
        result = model_rank(model, x, **options)
        assert result.rank == int(torch.linalg.matrix_rank(J, **options))
    with pytest.raises(InvalidInputError, match="atol and rtol must be None with it"):
        model_rank(model, x, param_error=1e-3, atol=0.1)


def test_the_summary_is_one_row_and_json_reads_back():
    result = model_rank(llr.PaperTeacherMLP())
    row = result.summary()
    assert (row["rank"], row["textbook_rank"], row["method"]) == (18, 18, "dense")
    assert row["last_kept"] > row["tolerance"]
    assert row["first_dropped"] is None
    read = json.loads(result.to_json())
    assert len(read["singular_values"]) == 18
    assert {k: read[k] for k in row if k != "gap"} == {k: row[k] for k in row if k != "gap"}
    nothing = model_rank(llr.DiagonalNetwork(3), params={"theta": torch.zeros(2, 3)})
    assert math.isinf(nothing.gap)
    assert json.loads(nothing.to_json())["gap"] is None
    with pytest.raises(AttributeError):
        result.rank = 3


@settings(max_examples=25)
@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 6),
    st.sampled_from(METHODS),
    st.integers(0, 10**6),
)
def test_the_rank_on_samples_is_at_most_rows_and_parameters_and_never_falls(
    d, width, n, method, seed
):
    model = llr.TwoLayerTanhMLP(d, width=width, generator=generator(seed, "init"))
    x = normal(n + 3, d, seed=seed)
    options = {"method": method, "rtol": 1e-9}
    fewer, more = (model_rank(model, part, **options).textbook_rank for part in (x[:n], x))
    assert fewer <= min(n, sum(p.numel() for p in model.parameters()))
    assert fewer <= more or math.isclose(fewer, more, abs_tol=1)
