"""Activations and the width of each layer in configs."""

import pytest

from llr.config import parse_config
from llr.errors import ConfigError
from llr.models import ACTIVATIONS
from llr.sweep import single_run


def spec(**keys):
    return single_run(parse_config(None, {k.replace("__", "."): v for k, v in keys.items()}))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("model", ["mlp", "cnn_shared", "cnn_noshare", "deep_mlp"])
def test_a_network_has_the_activation_of_its_config(model: str, activation: str):
    built = spec(model__type=model, model__scale=1, model__activation=activation).build_model()
    assert built.activation == activation


def test_the_widths_of_layers_are_those_of_the_network():
    run = spec(model__type="deep_mlp", model__widths=[7, 4, 2], model__activation="gelu")
    assert run.build_model().widths == (7, 4, 2)
    assert (run.described()["widths"], run.depth, run.width) == ("7-4-2", 4, None)


def test_equal_widths_are_the_run_that_width_and_depth_name():
    by_widths = spec(model__type="deep_mlp", model__widths=[6, 6])
    assert by_widths.id == spec(model__type="deep_mlp", model__width=6, model__depth=3).id
    assert by_widths.id != spec(model__type="deep_mlp", model__widths=[6, 5]).id


def test_a_random_target_has_the_models_activation_unless_another_is_given():
    random = {"data__target": "random", "model__activation": "relu"}
    assert spec(**random).target.build().activation == "relu"
    assert spec(**random, data__target_activation="erf").target.build().activation == "erf"


def test_a_random_deep_target_has_the_models_depth_unless_another_is_given():
    deep = {"data__target": "random", "data__target_model": "deep_mlp", "data__target_width": 2}
    model = {"model__type": "deep_mlp", "model__widths": [9, 8, 7]}
    assert spec(**deep, **model).target.build().widths == (2, 2, 2)
    assert spec(**deep, **model, data__target_depth=2).target.build().widths == (2,)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model.widths": [3, 2], "model.width": 3}, "model.width = 3 must not both be given"),
        ({"model.widths": [3, 2], "model.depth": 3}, "model.depth = 3 must not both be given"),
        ({"model.widths": [3, 2], "model.scale": 3}, "model.scale = 3 must not both be given"),
        ({"model.widths": [3, 2], "sweep.scales": [3]}, "sweep.scales = .3. has no meaning beside"),
        ({"model.widths": [3, 2], "model.type": "mlp"}, "for deep_mlp only, got mlp"),
        ({"model.widths": 3}, "must be a list of integers >= 1"),
        ({"model.widths": []}, "that is not empty"),
        ({"model.activation": "rleu"}, "Did you mean 'relu'"),
        ({"model.type": "diagonal", "model.activation": "relu"}, "no meaning for diagonal"),
        ({"data.target_depth": 3}, "only with random"),
        ({"data.target": "random", "data.target_depth": 3}, "only with deep_mlp"),
        (
            {
                "data.target": "random",
                "data.target_model": "linear",
                "data.target_activation": "sin",
            },
            "data.target_activation has no meaning with data.target_model = linear",
        ),
    ],
)
def test_keys_that_do_not_fit_together_are_refused(keys: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        parse_config(None, {"model.type": "deep_mlp", **keys})
