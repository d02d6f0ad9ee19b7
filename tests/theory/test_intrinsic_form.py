"""The smallest equivalent network: same function, fewest neurons, every unit accounted for."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import CASES, generic, set_weights
from tests.theory.networks import degenerate_networks

from llr.errors import InvalidInputError, UnsupportedModuleError
from llr.models import MLP, AbstractTwoLayerTanh, PaperTeacherMLP, TwoLayerTanhMLP
from llr.theory import embed, formal_rank, intrinsic_form


@settings(max_examples=150)
@given(degenerate_networks(most_parameters=80), st.integers(0, 2**32))
def test_the_form_computes_the_same_function_with_no_unit_to_spare(
    model: AbstractTwoLayerTanh, seed: int
) -> None:
    form = intrinsic_form(model)
    x = torch.randn(
        5,
        *model.input_shape,
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    )
    torch.testing.assert_close(form.model(x.flatten(1)), model(x), atol=1e-12, rtol=1e-12)
    # Nothing is left to merge: the tangent functions of the form are all independent.
    d = model.structure.input_size
    if form.width:
        full = form.width * (d + 1 + model.structure.hidden_bias) + (
            "output.bias" in dict(form.model.named_parameters())
        )
        assert formal_rank(form.model) == full
    again = intrinsic_form(form.model)
    assert again.width == form.width
    counts = form.summary()
    assert counts["kept"] == form.width
    assert counts["kept"] + counts["merged"] + counts["constant"] + counts["dropped"] == len(
        form.report
    )


def test_units_equal_up_to_sign_are_merged_and_say_into_what() -> None:
    model = set_weights(
        TwoLayerTanhMLP(2, width=4),
        [[1, 2], [-1, -2], [3, 1], [0, 0]],
        [3, 1, 0, 2],
        bias=[0.5, -0.5, 0, 0.25],
    )
    form = intrinsic_form(model)
    assert form.width == 1
    assert [unit.fate for unit in form.report] == ["kept", "merged", "dropped", "constant"]
    assert [unit.neuron for unit in form.report] == [0, 0, None, None]
    assert form.report[1].sign == -1
    assert form.report[2].reason == "output weight is zero"
    assert form.model.output.weight.item() == 2.0
    assert form.constant == pytest.approx(2 * torch.tanh(torch.tensor(0.25).double()).item())
    assert "neuron 0 = unit 0 - unit 1" in repr(form)
    assert "<pre>" in form._repr_html_()
    assert json.loads(form.to_json())["report"][1]["fate"] == "merged"


def test_groups_that_cancel_disappear() -> None:
    form = intrinsic_form(CASES["mlp-units-that-cancel"].build())
    assert form.width == 0
    assert {unit.fate for unit in form.report} == {"dropped"}
    assert "add up to zero" in form.report[0].reason
    assert form.model(torch.ones(1, 2, dtype=torch.float64)).item() == 0


def test_cancellation_is_decided_exactly() -> None:
    model = set_weights(TwoLayerTanhMLP(1, width=3), [[1], [1], [1]], [0.1, 0.2, -0.3])
    # 0.1 + 0.2 - 0.3 is 2.8e-17 in exact arithmetic on the binary values, not 0.
    assert intrinsic_form(model).width == 1
    assert intrinsic_form(model, tol=1e-12).width == 0


def test_constants_cancel_only_if_each_of_their_terms_does() -> None:
    model = set_weights(
        TwoLayerTanhMLP(1, width=3, output_bias=True),
        [[0], [0], [1]],
        [2, 2, 1],
        bias=[0.5, -0.5, 0],
    )
    form = intrinsic_form(model)
    assert form.constant == 0
    assert form.width == 1


def test_kernels_that_share_neurons_have_fewer_neurons() -> None:
    form = intrinsic_form(CASES["shared-kernels-that-share-neurons"].build())
    assert form.width == 4
    assert form.report[1].position == 1
    assert "neuron 1 = unit 0@1 + unit 1@0" in form.lines()


@pytest.mark.parametrize("noise", [1e-4, 1e-6, 1e-8])
def test_a_tolerance_reads_through_training_noise(noise: float) -> None:
    narrow = PaperTeacherMLP()
    wide = TwoLayerTanhMLP(5, width=10, hidden_bias=False)
    stream = torch.Generator().manual_seed(1)
    wide.load_state_dict(embed(narrow, wide, method="compatible", generator=stream))
    assert intrinsic_form(wide).width == 3
    with torch.no_grad():
        for parameter in wide.parameters():
            parameter.add_(noise * torch.randn(parameter.shape, generator=stream).double())
    assert intrinsic_form(wide).width == 10
    assert intrinsic_form(wide, tol=20 * noise).width == 3


def test_an_irreducible_network_comes_back_unchanged() -> None:
    model = generic(TwoLayerTanhMLP(3, width=4, output_bias=True))
    form = intrinsic_form(model)
    for name, value in form.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_wrong_input_is_refused() -> None:
    with pytest.raises(UnsupportedModuleError, match="activations can have"):
        intrinsic_form(MLP(2, widths=[2, 2], activation="gelu"))
    for model, got in (("x", "got str"), (TwoLayerTanhMLP, "make an instance, TwoLayerTanhMLP")):
        with pytest.raises(InvalidInputError, match=f"must be an nn.Module .*{got}"):
            intrinsic_form(model)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="tol must be"):
        intrinsic_form(PaperTeacherMLP(), tol=-1.0)
