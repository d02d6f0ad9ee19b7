"""The LLR test: verdict, evidence, and the directions that samples miss."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import llr
from llr.errors import InvalidInputError
from llr.models import encode_entries, initialize
from llr.recovery import check_llr
from llr.seeds import generator
from llr.tangent import LOWER_BOUND_NOTE, tangent_matrix


def normal(n: int, *shape: int, seed: int = 0) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randn(n, *shape, generator=source, dtype=torch.float64)


def directions(result) -> torch.Tensor:
    """The missing directions as rows over all parameters."""
    return torch.cat([value.flatten(1) for value in result.missing.values()], dim=1)


@pytest.mark.parametrize("method", ["auto", "dense", "chunked", "sketched"])
@pytest.mark.parametrize("n", [1, 11, 17, 18, 30])
def test_the_guarantee_holds_from_as_many_generic_samples_as_the_model_rank(n, method):
    result = check_llr(llr.PaperTeacherMLP(), normal(n, 5), method=method)
    assert result.recoverable == (n >= 18)
    assert (result.rank_on_x, result.model_rank) == (min(n, 18), 18)
    assert result.samples_needed == result.n_missing == max(0, 18 - n)
    assert (result.verdict, result.formal_rank) == ("clear", 18)


@pytest.mark.parametrize("method", ["dense", "chunked", "sketched"])
@pytest.mark.parametrize("n", [3, 12])
def test_missing_directions_change_the_function_and_no_sample_sees_them(n, method):
    model, x = llr.PaperTeacherMLP(), normal(n, 5)
    result = check_llr(model, x, method=method)
    v = directions(result)
    assert v.shape == (18 - n, 18)
    assert torch.allclose(v @ v.T, torch.eye(18 - n, dtype=torch.float64), atol=1e-10)
    J = tangent_matrix(model, x)
    assert (J @ v.T).abs().max() < 1e-9 * torch.linalg.matrix_norm(J, 2)
    elsewhere = tangent_matrix(model, normal(100, 5, seed=9))
    assert int(torch.linalg.matrix_rank(elsewhere @ v.T)) == 18 - n
    assert result.missing.keys() == dict(model.named_parameters()).keys()
    assert result.missing["hidden.weight"].shape == (18 - n, 3, 5)
    assert sum(result.missing_shares().values()) == pytest.approx(1)


def test_directions_that_change_nothing_are_not_counted_as_missing():
    model = initialize(
        llr.MLP(3, widths=[4], activation="relu"), std=1.0, generator=generator(0, "init")
    )
    result = check_llr(model, normal(5, 3))
    J = tangent_matrix(model, normal(500, 3, seed=3))
    v = directions(result)
    # Scaling a neuron's input up and its output down changes no function: not in the basis.
    null = torch.linalg.svd(J, full_matrices=True).Vh[result.model_rank :]
    assert (v @ null.T).abs().max() < 1e-8
    assert len(null) == 4


def test_samples_that_repeat_or_lie_in_a_plane_do_not_suffice_however_many():
    model = llr.PaperTeacherMLP()
    assert not check_llr(model, normal(6, 5).repeat(10, 1)).recoverable
    flat = normal(60, 5)
    flat[:, 4] = 0.0
    result = check_llr(model, flat)
    assert not result.recoverable
    # x5 = 0 hides the derivatives by the weights from x5: of the three neurons, all three.
    assert result.n_missing == 3
    hidden = result.missing["hidden.weight"]
    assert hidden[:, :, 4].square().sum() == pytest.approx(3, abs=1e-6)


def test_with_several_outputs_a_sample_counts_for_each():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    rank = 26
    result = check_llr(model, normal(5, 3))
    assert (result.rank_on_x, result.model_rank) == (10, rank)
    assert result.samples_needed == (rank - 10) // 2
    assert check_llr(model, normal(13, 3)).recoverable


def test_matrix_completion_needs_entries_in_every_row_and_column():
    model = llr.MatrixFactorization(3, 3, width=1)
    with torch.no_grad():
        model.left.fill_(1.0)
        model.right.fill_(1.0)

    def entries(*places: int) -> torch.Tensor:
        index = torch.tensor(places)
        return encode_entries(index // 10 - 1, index % 10 - 1, n_rows=3, n_columns=3)

    assert check_llr(model, entries(11, 12, 13, 21, 31)).recoverable
    block = check_llr(model, entries(11, 12, 21, 22, 33))  # two connected components
    assert (block.rank_on_x, block.model_rank) == (4, 5)


def test_further_inputs_of_the_callers_stand_for_the_input_space():
    model = llr.PaperTeacherMLP()
    line = torch.zeros(30, 5, dtype=torch.float64)
    line[:, 0] = torch.linspace(-2, 2, 30)
    result = check_llr(model, line[::3], inputs=line)
    assert result.recoverable
    assert result.model_rank < 18
    assert "The exact model rank at these parameters is 18" in result.message
    assert "not seen on these inputs" in result.message
    assert "more inputs could raise it" in result.message
    assert "cannot hold" not in result.message


def test_further_inputs_may_be_whole_numbers_too():
    whole = torch.randint(-3, 4, (40, 5), generator=torch.Generator().manual_seed(0))
    results = [check_llr(llr.PaperTeacherMLP(), x[:9], inputs=x) for x in (whole, whole.double())]
    assert results[0].summary() == results[1].summary()
    assert results[0].samples_needed > 0


def test_integer_inputs_need_further_inputs():
    model = nn.Sequential(nn.Embedding(5, 2), nn.Flatten(), nn.Linear(4, 1))
    tokens = torch.randint(5, (4, 2), generator=torch.Generator().manual_seed(0))
    with pytest.raises(InvalidInputError, match="Pass inputs="):
        check_llr(model, tokens)
    grid = torch.cartesian_prod(torch.arange(5), torch.arange(5))
    result = check_llr(model, tokens, inputs=grid)
    assert (result.rank_on_x, result.model_rank) == (4, 9)


def test_a_trained_point_is_tested_with_its_error_stated():
    target = llr.PaperTeacherMLP()
    wide = llr.TwoLayerTanhMLP(5, width=10, hidden_bias=False)
    point = llr.embed(target, wide, method="split", generator=generator(1, "noise"))
    source = generator(2, "noise")
    for name, value in point.items():
        noise = torch.randn(value.shape, generator=source, dtype=torch.float64)
        point[name] = value + 1e-7 * noise
    result = check_llr(wide, normal(25, 5), params=point, param_error=1e-7)
    assert (result.recoverable, result.rank_on_x, result.model_rank) == (True, 18, 18)
    # Sixty exact directions at the perturbed point itself, which is not the one meant.
    assert (result.formal_rank, result.verdict, result.message) == (60, "clear", "")
    assert "exact at these very parameters: 60" in repr(result)


def test_at_the_papers_initialisation_the_exact_rank_is_told_beside_the_measured_one():
    model = initialize(llr.TwoLayerTanhMLP(5, width=3), std=1e-10, generator=generator(0, "init"))
    result = check_llr(model, normal(10, 5))
    assert (result.model_rank, result.formal_rank, result.verdict) == (6, 21, "ambiguous")
    assert "exact: 21" in repr(result)
    assert "On 10 rows the guarantee cannot hold there." in result.message
    assert not result.recoverable  # whatever float64 sees: ten rows never have rank 21
    assert result.samples_needed == 11
    assert "does not hold (ambiguous): rank on x 6 = model rank 6 (exact: 21)" in repr(result)
    assert "misses" not in repr(result)
    assert LOWER_BOUND_NOTE in repr(result)
    enough_rows = check_llr(model, normal(30, 5))
    assert "exact model rank" in enough_rows.message
    assert "cannot hold" not in enough_rows.message
    assert enough_rows.recoverable


def test_a_model_rank_beyond_the_memory_is_a_lower_bound_and_still_decides():
    model = llr.MLP(8, widths=[30, 30], output_dim=3, generator=generator(0, "init"))
    result = check_llr(model, normal(20, 8), max_memory=1.5e6)
    assert not result.recoverable
    assert result.rank_on_x == 60
    assert "more inputs do not fit max_memory" in result.message
    assert result.missing == {}
    assert result.samples_needed >= (result.model_rank - 60) // 3


def test_functions_and_dictionaries_are_tested_too():
    def plane(params, x):
        return x["a"] @ params["w"] + x["b"]

    params = {"w": torch.ones(3, 1)}
    x = {"a": normal(2, 3), "b": normal(2, 1)}
    result = check_llr(plane, x, params=params)
    assert (result.rank_on_x, result.model_rank, result.samples_needed) == (2, 3, 1)
    assert result.missing["w"].shape == (1, 3, 1)
    assert result.formal_rank is None


def test_the_result_is_one_row_json_and_readable():
    few = check_llr(llr.PaperTeacherMLP(), normal(15, 5))
    row = few.summary()
    assert (row["recoverable"], row["samples_needed"], row["n_rows"]) == (False, 3, 15)
    read = json.loads(few.to_json())
    assert read["missing_shares"].keys() == few.missing.keys()
    text = repr(few)
    assert "does not hold (clear): rank on x 15 < model rank 18 (exact: 18)" in text
    assert "further generic samples needed: 3" in text
    assert LOWER_BOUND_NOTE not in text  # the exact rank says the same
    unknown = nn.Sequential(nn.Linear(2, 3), nn.Softplus(), nn.Linear(3, 1))
    assert LOWER_BOUND_NOTE in repr(check_llr(unknown, normal(15, 2)))
    assert "<br>" in few._repr_html_()
    enough = check_llr(llr.PaperTeacherMLP(), normal(19, 5))
    assert "holds (clear): rank on x 18 = model rank 18" in repr(enough)
    assert enough.missing_shares() == {}
    assert enough.missing["hidden.weight"].shape == (0, 3, 5)


@settings(max_examples=20)
@given(st.integers(2, 4), st.integers(1, 3), st.integers(1, 14), st.integers(0, 10**6))
def test_more_samples_never_lose_the_guarantee(d, width, n, seed):
    model = llr.TwoLayerTanhMLP(d, width=width, hidden_bias=False)
    initialize(model, std=1.0, generator=generator(seed, "init"))
    x = normal(n + 2, d, seed=seed)
    few, more = check_llr(model, x[:n]), check_llr(model, x)
    assert few.rank_on_x <= more.rank_on_x
    if few.verdict == more.verdict == "clear":
        assert few.model_rank == more.model_rank == few.formal_rank
        assert more.recoverable or not few.recoverable
        assert few.samples_needed == few.n_missing
