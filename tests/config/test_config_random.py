"""Whatever is fed to the config loader, it answers with a config or with sentences."""

import string

from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from llr._yaml import parse_yaml
from llr.config import Config, load_config, parse_config
from llr.errors import ConfigError
from llr.sweep import build_problem, grid, single_run

KEYS = {
    section: list(field.annotation.model_fields) for section, field in Config.model_fields.items()
}
NAMES = [
    *("mlp", "cnn_shared", "cnn_noshare_2d", "deep_mlp", "matrix_factorization", "diagonal"),
    *("sgd", "adam", "gradient_flow", "normal", "default", "uniform", "grid", "entries"),
    *("paper", "three_bumps", "affine", "random", "file", "M1", "matrix", "linear"),
    *("cpu", "cuda:9999", "auto", "flow", "torch", "processes", "", "..", "a\nb", "\x00", "\ud800"),
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, 2, 3, 4, 5, 16, 10**30, 2**63, -(2**70)])
    | st.floats()
    | st.sampled_from([0.1, 1e-10, 1e308, -0.0])
    | st.text(max_size=10)
    | st.sampled_from(NAMES)
    | st.binary(max_size=4)
    | st.dates()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(SCALARS.filter(lambda key: key == key), inner, max_size=3)
    ),
    max_leaves=8,
)
ALL_KEYS = st.sampled_from([key for keys in KEYS.values() for key in keys]) | st.text(max_size=5)
SECTIONS = st.sampled_from(list(KEYS)) | st.text(max_size=5) | st.integers() | st.none()


def config_or_sentences(load, *arguments) -> Config | None:
    """The config; or None, after a look at the message."""
    try:
        return load(*arguments)
    except ConfigError as error:
        lines = str(error).split("\n")
        assert all(line.strip() for line in lines)
        assert all(character.isprintable() for line in lines for character in line)
        assert max(map(len, lines)) < 1000
        return None


@given(
    content=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace"))
)
def test_random_bytes(content: bytes, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "random.yaml"
    path.write_bytes(content)
    config_or_sentences(load_config, path)


@given(text=st.text(alphabet="{}[]:,&*!|>-#'\"% \n\t?ab01.e", max_size=60))
def test_random_yaml_syntax(text: str, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "syntax.yaml"
    path.write_text(text)
    config_or_sentences(load_config, path)


@given(value=VALUES | st.dictionaries(SECTIONS, st.dictionaries(ALL_KEYS, VALUES) | VALUES))
def test_random_values(value: object):
    config_or_sentences(parse_config, value)


@st.composite
def nearly_configs(draw):
    """Sections and keys that exist, with values of any kind."""
    value = {}
    for section in draw(st.sets(st.sampled_from(list(KEYS)))):
        keys = draw(st.sets(st.sampled_from(KEYS[section]), max_size=4))
        value[section] = {key: draw(VALUES) for key in keys}
    return value


@given(value=nearly_configs())
def test_random_values_of_real_keys(value: dict):
    config = config_or_sentences(parse_config, value)
    if config is not None:
        assert parse_config(parse_yaml(config.to_yaml(), source="again")) == config


@given(
    overrides=st.lists(
        st.text(max_size=20)
        | st.tuples(
            st.sampled_from([f"{s}.{k}" for s, keys in KEYS.items() for k in keys]),
            st.text(alphabet=string.printable, max_size=12),
        ).map("=".join),
        max_size=3,
    )
)
def test_random_overrides(overrides: list[str]):
    config_or_sentences(parse_config, {}, overrides)


@given(cut=st.integers(0, 400))
def test_a_config_file_cut_anywhere(cut: int, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "cut.yaml"
    path.write_text(Config().to_yaml()[:cut])
    config_or_sentences(load_config, path)


FAMILIES = [
    {},
    {"model.type": "cnn_shared", "data.input_dim": 3},
    {"model.type": "cnn_noshare", "data.target": "random", "data.target_width": 2},
    {"model.type": "deep_mlp", "data.distribution": "uniform", "data.low": -2},
    {"model.type": "mlp", "data.input_dim": 1, "data.target": "three_bumps", "model.width": 3},
    {"model.type": "cnn_shared_2d", "data.target": "random", "data.input_dim": 3},
    {"model.type": "diagonal", "data.target": "random", "data.target_model": "linear"},
    {
        "model.type": "toy_nonlinear",
        "data.input_dim": 2,
        "data.target": "affine",
        "data.target_coefficients": [1, 0, 2],
    },
    {
        "model.type": "matrix_factorization",
        "data.input_dim": 4,
        "data.target": "M7",
        "data.distribution": "entries",
        "sweep.sample_sizes": [3, 16],
    },
]
CHANGES = [
    *(("data.train_size", n) for n in (1, 9, 16)),
    *(("data.test_size", n) for n in (1, 16, 27)),
    *(("data.distribution", name) for name in ("uniform", "grid", "entries")),
    *(("data.noise_std", 0.1), ("data.high", 3), ("data.input_dim", 4)),
    *(("data.target_model", name) for name in ("mlp", "cnn_noshare", "matrix", "linear")),
    *(("data.target_bias", True), ("data.target_kernel_size", 2), ("data.target_width", 3)),
    *(("model.scale", 2), ("model.width", 3), ("model.kernel_size", 1), ("model.depth", 2)),
    *(("model.hidden_bias", False), ("model.output_bias", True)),
    *(("training.optimizer", name) for name in ("adam", "gradient_flow")),
    *(("training.dropout", 0.1), ("training.lr", 0.5), ("training.rtol", 0.1)),
    *(("init.method", "default"), ("init.std", 0.5), ("experiment.seed", 2**62)),
    *(("sweep.sample_sizes", [1]), ("sweep.sample_sizes", [4, 9]), ("sweep.scales", [1, 2])),
    *(("sweep.init_stds", [0.1, 0]), ("sweep.seeds", 1), ("sweep.seeds", [4, 2])),
]


@given(
    family=st.sampled_from(FAMILIES),
    changes=st.lists(st.sampled_from(CHANGES), max_size=3),
    enabled=st.booleans(),
)
def test_a_config_that_loads_has_runs_that_can_be_built(family, changes, enabled: bool):
    values = {**family, **dict(changes), "sweep.enabled": enabled}
    config = config_or_sentences(parse_config, {}, values)
    assert config is not None or changes
    if config is None:
        return
    assert build_problem([single_run(config)]).n_runs == 1
    if enabled:
        specs = grid(config)
        assert len({spec.id for spec in specs}) == len(specs)
        assert build_problem([specs[-1]]).n_runs == 1


def test_yaml_of_a_config_is_read_alike_by_a_round_trip_reader():
    text = Config().to_yaml()
    assert YAML(typ="rt").load(text) == parse_yaml(text, source="test")
