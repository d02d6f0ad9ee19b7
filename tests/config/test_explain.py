"""Every key of a config is described by its schema, and the description holds."""

import pytest

from llr._yaml import parse_yaml
from llr.config import Config, describe_keys, described_sections, parse_config
from llr.errors import ConfigError

KEYS = describe_keys()

NEEDED_BESIDE = {
    "data.low": {"data.distribution": "uniform"},
    "data.high": {"data.distribution": "uniform"},
    "data.entries": {
        "data.distribution": "entries",
        "model.type": "matrix_factorization",
        "data.target": "random",
    },
    "data.target_model": {"data.target": "random"},
    "data.target_width": {"data.target": "random"},
    "data.target_kernel_size": {"data.target": "random", "data.target_model": "cnn_shared"},
    "data.target_bias": {"data.target": "random"},
    "data.target_activation": {"data.target": "random"},
    "data.target_depth": {"data.target": "random", "data.target_model": "deep_mlp"},
    "data.target_coefficients": {"data.target": "affine", "data.input_dim": 2, "model.width": 3},
    "data.target_path": {"data.target": "file"},
    "model.widths": {"model.type": "deep_mlp"},
    "training.max_time": {"training.optimizer": "gradient_flow"},
    "training.rtol": {"training.optimizer": "gradient_flow"},
    "training.atol": {"training.optimizer": "gradient_flow"},
    "execution.address": {"execution.executor": "ray"},
}
"""Keys that mean something only beside another."""


def test_every_key_of_the_schema_is_described():
    sections = {name: list(keys) for name, keys in Config().model_dump().items()}
    assert [key.key for key in KEYS] == [f"{s}.{k}" for s, keys in sections.items() for k in keys]
    assert list(described_sections()) == list(sections)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.key)
def test_a_key_has_a_sentence_a_default_and_allowed_values(key):
    assert key.meaning.endswith(".")
    assert key.allowed
    assert key.example
    assert key.default
    assert not key.default.endswith(".")


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.key)
def test_the_example_of_a_key_is_accepted_and_differs_from_its_default(key):
    value = parse_yaml(key.example, source="example")
    beside = NEEDED_BESIDE.get(key.key, {})
    section, _, name = key.key.partition(".")
    given = getattr(getattr(parse_config(None, {**beside, key.key: value}), section), name)
    assert given == (tuple(map(_tupled, value)) if isinstance(value, list) else value)
    assert key.default != key.example


def _tupled(item: object) -> object:
    return tuple(item) if isinstance(item, list) else item


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.key)
def test_a_plain_default_is_the_one_of_an_empty_config(key):
    section, _, name = key.key.partition(".")
    default = getattr(getattr(Config(), section), name)
    if default is not None:
        shown = parse_yaml(key.default, source="default")
        assert (tuple(shown) if isinstance(shown, list) else shown) == default


@pytest.mark.parametrize("name", ["training.tol", "tol"])
def test_a_key_is_found_with_and_without_its_section(name: str):
    assert [key.key for key in describe_keys(name)] == ["training.tol"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("trainin", "Did you mean 'training'?"),
        ("training.tool", "Did you mean 'tol'?"),
        ("sweep.tol", "Did you mean 'training.tol'?"),
        ("", "sections are experiment"),
    ],
)
def test_an_unknown_name_gets_the_nearest(name: str, hint: str):
    with pytest.raises(ConfigError) as error:
        describe_keys(name)
    assert hint in str(error.value)
