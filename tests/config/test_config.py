"""Configs: the first config still loads, faults are sentences, what is shown is what is run."""

import json
import re
from pathlib import Path

import pytest

from llr._yaml import parse_yaml
from llr.config import Config, completed, load_config, parse_config
from llr.config._schema import SweepConfig
from llr.errors import ConfigError
from llr.sweep import grid, single_run
from llr.training import Adam, GradientDescent, GradientFlow

ROOT = Path(__file__).parents[2]

FIRST_CONFIG = """
experiment:
  name: "experiment_name"
  seed: 0
  device: "cpu"  # or "cuda"

data:
  input_dim: 5          # Input dimension
  train_size: 20        # Training set size
  test_size: 1000       # Test set size

model:
  type: "mlp"           # Options: mlp | cnn_shared | cnn_noshare

training:
  lr: 0.1               # Learning rate
  max_steps: 20000      # Maximum training steps
  tol: 1e-10            # Convergence tolerance
  optimizer: "sgd"      # Options: sgd | adam
  weight_decay: 0.0

init:
  std: 1e-10            # Tiny initialization std

sweep:
  enabled: true
  sample_sizes: [5, 10, 20, 50, 100, 200]  # Sweep over these sizes
"""


def load(text: str, *overrides: str) -> Config:
    return parse_config(parse_yaml(text, source="test"), overrides)


def faults(*overrides: str, text: str = "") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, *overrides)
    return [line.removeprefix("config: ") for line in str(caught.value).splitlines()]


def test_the_first_config_of_the_project_loads_unchanged(tmp_path: Path):
    path = tmp_path / "config.yaml"
    path.write_text(FIRST_CONFIG)
    config = load_config(path)
    assert config.experiment.name == "experiment_name"
    assert config.training.build() == GradientDescent(lr=0.1, max_steps=20_000, tol=1e-10)
    assert config.init.std == 1e-10
    assert config.sweep.models == ("mlp", "cnn_shared", "cnn_noshare")
    assert len(grid(config)) == 3 * 6 * 5


def test_the_shipped_config_holds_the_same_experiment():
    shipped, first = load_config(ROOT / "config.yaml").to_dict(), load(FIRST_CONFIG).to_dict()
    assert shipped.pop("experiment") | {"name": "experiment_name"} == first.pop("experiment")
    assert shipped == first


def test_an_empty_config_is_all_defaults():
    assert load("") == parse_config({}) == parse_config(None) == completed(Config())


def test_null_stands_for_the_default():
    assert load("training: {lr: null}\nsweep:\n") == parse_config({})
    assert load("training: {lr: 0.5}", "training.lr=null") == parse_config({})


def test_whoever_describes_a_grid_has_a_sweep_unless_they_say_no():
    assert not load("").sweep.enabled
    assert not load("sweep: {}").sweep.enabled
    assert not load("sweep: {seeds: null}").sweep.enabled
    assert load("sweep: {sample_sizes: [5]}").sweep.enabled
    assert load("", "sweep.seeds=20").sweep.enabled
    assert not load("sweep: {enabled: false, seeds: 2}").sweep.enabled
    assert not load("sweep: {seeds: 2}", "sweep.enabled=false").sweep.enabled
    assert load("sweep: {seeds: 2}") == load("sweep: {enabled: true, seeds: 2}")
    described = Config.json_schema()["$defs"]["SweepConfig"]["properties"]["enabled"]
    assert "true where any other key" in " ".join(described["description"].split())


@pytest.mark.parametrize(
    "text",
    [
        "",
        FIRST_CONFIG,
        "training: {optimizer: gradient_flow, max_time: 1e5}",
        "training: {optimizer: adam}\ninit: {method: default}",
        "model: {width: 7}\nsweep: {seeds: [3, 1]}",
        "model: {type: matrix_factorization}\ndata: {distribution: entries, input_dim: 4, "
        "target: M5, entries: [[3, 1], [4, 3]], train_size: 2}",
        "data: {input_dim: 1, distribution: grid, low: -15, high: 14, target: three_bumps}\n"
        "model: {width: 300}",
        "data: {target: random, target_model: cnn_shared, target_bias: true}",
        "model: {type: toy_nonlinear}\n"
        "data: {input_dim: 2, target: affine, target_coefficients: [1, 1, 0]}",
    ],
)
def test_the_resolved_config_loads_to_itself(text: str):
    config = load(text)
    assert load(config.to_yaml()) == config
    assert json.loads(json.dumps(config.to_dict())) == config.to_dict()


@pytest.mark.parametrize(
    ("overrides", "optimizer"),
    [
        ([], GradientDescent(lr=0.1)),
        (["training.lr=0.05", "training.dropout=0.1"], GradientDescent(lr=0.05, dropout=0.1)),
        (["training.optimizer=adam"], Adam()),
        (["training.optimizer=adam", "training.tol=0"], Adam(tol=0.0)),
        (["training.optimizer=gradient_flow"], GradientFlow()),
        (["training.optimizer=gradient_flow", "training.rtol=1e-4"], GradientFlow(rtol=1e-4)),
    ],
)
def test_an_optimizer_gets_its_own_defaults(overrides: list[str], optimizer):
    assert load("", *overrides).training.build() == optimizer


@pytest.mark.parametrize(
    ("text", "width", "scale"),
    [("", None, 10), ("model: {width: 4}", 4, None), ("model: {scale: 3}", None, 3)],
)
def test_a_scale_or_a_width(text: str, width: int | None, scale: int | None):
    config = load(text)
    assert (config.model.width, config.model.scale) == (width, scale)


def test_seeds_count_from_the_experiments_seed_or_are_listed():
    assert load("", "experiment.seed=7", "sweep.seeds=3").seeds == (7, 8, 9)
    assert load("", "experiment.seed=7", "sweep.seeds=[3, 0]").seeds == (3, 0)


def test_overrides_are_yaml_values_from_text_or_a_mapping():
    text = load("", "training.lr=5e-2", "sweep.sample_sizes=[1, 2]", "model.hidden_bias=false")
    values = {"training.lr": 0.05, "sweep.sample_sizes": [1, 2], "model.hidden_bias": False}
    assert text == parse_config({}, values)


def test_overrides_leave_the_values_they_are_given_as_they_were():
    values = {"training": {"lr": 0.5}}
    parse_config(values, ["training.lr=0.1", "sweep.seeds=2"])
    assert values == {"training": {"lr": 0.5}}


MESSAGES = [
    ("trainng.lr=1", "trainng is not a section; valid are .* Did you mean 'training'?"),
    (
        "training.learning_rate=1",
        "training.learning_rate is not a key of section 'training'; valid are .*lr",
    ),
    ("training.wieght_decay=1", "Did you mean 'weight_decay'?"),
    ("training.lrr=null", "training.lrr is not a key of section 'training'"),
    ("model.lr=0.1", "model.lr is not a key of section 'model'; .* Did you mean 'training.lr'?"),
    ("training.lr=fast", "training.lr must be a finite number > 0, got 'fast'."),
    ("training.lr=0", "training.lr must be a finite number > 0, got 0."),
    ("training.lr=.inf", "training.lr must be a finite number > 0, got inf."),
    ("training.lr=.nan", "training.lr must be a finite number > 0, got nan."),
    ("training.lr=true", "training.lr must be a finite number > 0, got True."),
    ("training.lr='0.1'", "training.lr must be a finite number > 0, got '0.1'."),
    ("training.dropout=1", "training.dropout must be a finite number >= 0 and < 1, got 1."),
    ("training.max_steps=1.5", "training.max_steps must be an integer >= 0, got 1.5."),
    ("training.optimizer=SGD", "must be one of gradient_descent, adam, gradient_flow, got 'SGD'."),
    ("init.std=-1", "init.std must be a finite number >= 0, got -1."),
    ("init.std=[1]", r"init.std must be a finite number >= 0, got \[1\]."),
    ("data.input_dim=0", "data.input_dim must be an integer >= 1 and <= 1000000000, got 0."),
    ("model.type=cnn_shard", "model.type must be one of .* Did you mean 'cnn_shared'?"),
    ("model.hidden_bias=1", "model.hidden_bias must be true or false, got 1."),
    ("experiment.device=gpu", "experiment.device must be cpu, cuda or cuda:N .*, got 'gpu'."),
    ("experiment.name=a/b", "experiment.name must be a folder name of letters, .*, got 'a/b'."),
    ("experiment.name=..", "experiment.name must be a folder name"),
    ("sweep.sample_sizes=[]", "sweep.sample_sizes must be a list of integers >= 1 that is not"),
    ("sweep.sample_sizes=5", r"got 5. Write \[5, 10, 20\]."),
    ("sweep.sample_sizes=[5, x]", r"sweep.sample_sizes\[1\] must be an integer >= 1 .*, got 'x'."),
    ("sweep.sample_sizes=[5, 5]", "sweep.sample_sizes must be a list without repeats, got 5."),
    ("sweep.models=[mlp, mpl]", r"sweep.models\[1\] must be one of .* Did you mean 'mlp'?"),
    ("sweep.seeds=0", "sweep.seeds must be a number of seeds >= 1 or a list .*, got 0."),
    ("sweep.seeds=[]", "sweep.seeds must be a number of seeds >= 1 or a list"),
    ("sweep.seeds=[1, -1]", r"sweep.seeds must be a number of seeds .*, got \[1, -1\]."),
    ("data.low=0", "data.low has no meaning with data.distribution = normal, got 0.0: remove it"),
    ("data.target=M3", "data.target = M3 is a 4 x 4 matrix: .*, got mlp and 5."),
    ("data.target=affine", "data.target_coefficients must list 6 numbers .*, got null."),
    ("data.target=file", "data.target_path must name a weights file .*, got null."),
    ("data.target=three_bumps", "data.input_dim must be 1 for data.target = three_bumps, got 5."),
    ("data.target_width=3", "data.target_width has no meaning with data.target = paper, only"),
    ("data.entries=[[1, 2]]", "data.entries has no meaning with data.distribution = normal"),
    ("model.type=toy_linear", "data.input_dim must be 2 for toy_linear, got 5."),
    ("model.type=matrix_factorization", "data.target = paper is not defined on inputs of matrices"),
    ("data.distribution=entries", "data.distribution = entries needs the model matrix_factorizati"),
    ("model.kernel_size=6", "model.kernel_size must be <= data.input_dim = 5, got 6: give"),
    (
        "training.rtol=0.1",
        "training.rtol has no .* = gradient_descent, got 0.1",
    ),
    (
        "execution.engine=flow",
        "engine = flow trains gradient_flow only, got .* = gradient_des",
    ),
]


@pytest.mark.parametrize(("override", "message"), MESSAGES)
def test_one_fault_is_one_line_with_key_value_and_what_is_allowed(override: str, message: str):
    (line,) = faults(override)
    assert re.search(message, line), line


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.optimizer=gradient_flow", "training.lr=0.1"], "training.lr has no meaning"),
        (["training.optimizer=gradient_flow", "training.dropout=0"], "training.dropout has no"),
        (
            ["training.optimizer=gradient_flow", "execution.engine=torch"],
            "gradient_descent and adam only",
        ),
        (["init.method=default", "init.std=1"], "init.std has no meaning with init.method"),
        (["model.scale=1", "model.width=3"], "must not both be given"),
        (["model.type=cnn_shared", "model.kernel_size=6"], "<= data.input_dim = 5 for cnn_shared"),
        (["model.type=deep_mlp", "model.depth=1"], "model.depth must be an integer >= 2"),
        (["data.distribution=uniform", "data.low=2"], "data.low must be < data.high = 1, got 2."),
        (["data.distribution=grid"], r"data.train_size must be k\^5 for a grid over 5 inputs"),
        (["model.type=cnn_shared_2d"], "data.target = paper is not defined on 2-d inputs"),
        (
            ["sweep.enabled=true", "sweep.models=[mlp, cnn_shared_2d]"],
            "sweep.models must all take inputs of the same kind",
        ),
        (
            ["sweep.enabled=true", "model.width=3", "sweep.scales=[1]"],
            "sweep.scales = .* has no meaning beside model.width = 3",
        ),
        (
            ["model.type=diagonal", "model.scale=2", "data.input_dim=4"],
            "model.scale has no meaning for diagonal, got 2",
        ),
        (
            ["model.type=diagonal", "training.dropout=0.5"],
            "training.dropout must be 0 for diagonal, which has no hidden units",
        ),
        (
            ["data.target=random", "data.target_model=linear", "data.target_width=6"],
            "data.target_width, the number of nonzero coefficients, must be <= .* = 5, got 6",
        ),
        (
            ["data.target=random", "data.target_model=cnn_shared", "data.target_kernel_size=6"],
            "data.target_kernel_size must be <= data.input_dim = 5, got 6",
        ),
        (
            ["data.target=random", "data.target_model=matrix"],
            "data.target_model = matrix is not defined on the inputs of mlp",
        ),
        (["execution.executor=in_process", "execution.workers=2"], "execution.workers must be 1"),
    ],
)
def test_values_without_meaning_together_are_refused(overrides: list[str], message: str):
    assert any(re.search(message, line) for line in faults(*overrides))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.train_size=17"], "data.train_size must be <= 16, the number of entries"),
        (["data.test_size=15"], "data.test_size must be 16 with data.distribution = entries"),
        (["data.entries=[[1, 5]]", "data.train_size=1"], r"rows and columns 1..4, got \[1, 5\]"),
        (["data.entries=[[1, 1], [1, 1]]", "data.train_size=1"], "each entry at most once"),
        (["data.entries=[[1, 1]]", "data.train_size=2"], "<= 1, the length of data.entries"),
        (["data.entries=[[1, 2, 3]]"], r"a list of a row and a column, got \[1, 2, 3\]. Write"),
        (["data.entries=[[1]]"], r"data.entries\[0\] must be a list of a row and a column"),
        (["data.target=paper"], "data.target = paper is not defined on inputs of matrices"),
    ],
)
def test_matrix_settings_are_checked_together(overrides: list[str], message: str):
    matrix = (
        "model: {type: matrix_factorization}\n"
        "data: {distribution: entries, input_dim: 4, target: M1}"
    )
    load(matrix)
    assert any(re.search(message, line) for line in faults(*overrides, text=matrix))


def test_several_faults_are_several_lines():
    lines = faults("training.lr=fast", "sweep.seeds=0", "modl.type=mlp")
    assert [line.split()[0] for line in lines] == ["training.lr", "sweep.seeds", "modl"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.lr", "an override must read section.key=value, got 'training.lr'"),
        ("mine.yml", "got 'mine.yml'; .* Did you mean --config mine.yml?"),
        ("=3", "an override must read section.key=value"),
        ("lr=0.1", "an override must name section.key, got 'lr'; .* Did you mean 'training.lr'?"),
        ("sweep=3", "an override must name section.key, got 'sweep'; sections are"),
        ("training.lr=[0.1", "override 'training.lr=.*: not valid YAML"),
    ],
)
def test_an_override_that_is_none_is_refused(override: str, message: str):
    with pytest.raises(ConfigError, match=message):
        load("", override)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"training: {lr: 1}\ntraining: {lr: 2}", 'line 2, column 1: .*duplicate key "training"'),
        (b"training:\n  lr: 1\n  lr: 1\n", 'line 3, column 3: .*duplicate key "lr"'),
        (b"training: {lr: [}", "line 1, column"),
        (b"- 1\n- 2", r"must map sections to keys, got \[1, 2\]"),
        (b"training: 3", "training must be a section of keys, got 3"),
        (b"1: {lr: 2}", "1.* is not a section"),
        (b"title: a\nsource: b\nabout: c", "not a sweep; run it by llr reproduce"),
        (b"training: {1: 2}", "is not a key of section 'training'"),
        (b"\xff\xfe\xfa", "not valid YAML"),
        (b"a: !!python/object:os.system {}", "not valid YAML"),
        (b"a: 2001-99-99", "not valid YAML"),
        (b"[" * 1000, "nested too deeply"),
        (b"a: &a [*a]", "a is not a section"),
        (b"training: &t {lr: *t}", "training.lr must be a finite number"),
        (b"data: {input_dim: 0x" + b"f" * 5000 + b"}", "data.input_dim must be an integer"),
    ],
)
def test_a_file_that_is_no_config_is_refused_with_its_name(
    content: bytes, message: str, tmp_path: Path
):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(path)
    assert all(line.startswith(str(path)) for line in str(caught.value).splitlines())


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="there is no such config file"):
        load_config(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_the_json_schema_describes_every_key():
    schema = Config.json_schema()
    for section, reference in schema["properties"].items():
        keys = schema["$defs"][reference["$ref"].rpartition("/")[2]]
        assert keys["additionalProperties"] is False
        for key, entry in keys["properties"].items():
            assert entry["description"], f"{section}.{key}"
    assert schema["$defs"]["TrainingConfig"]["properties"]["optimizer"]["enum"] == [
        "gradient_descent",
        "adam",
        "gradient_flow",
        "sgd",
    ]


def test_a_config_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Config().training.lr = 3.0


def test_filling_in_changes_no_config_and_the_second_time_nothing():
    given = Config()
    before = given.model_dump()
    complete = completed(given)
    assert given.model_dump() == before
    assert completed(complete) == complete == parse_config({})


def test_a_config_built_by_hand_is_completed_where_it_is_used():
    given = Config()
    assert single_run(given) == single_run(parse_config({}))
    given = given.model_copy(update={"sweep": SweepConfig(seeds=1)})
    assert grid(given) == grid(parse_config({"sweep": {"seeds": 1}}))


def test_contradictions_of_a_config_built_by_hand_are_refused():
    given = parse_config({"sweep": {"seeds": 1}})
    model = given.model.model_copy(update={"width": 3})
    with pytest.raises(ConfigError, match=r"model\.scale = 10 and model\.width = 3 must not both"):
        grid(given.model_copy(update={"model": model}))


def test_sgd_is_another_name_of_gradient_descent():
    old, new = (load(f"training: {{optimizer: {name}}}") for name in ("sgd", "gradient_descent"))
    assert old == new == load("")
    assert "optimizer: gradient_descent" in old.to_yaml()
    assert single_run(old).id == single_run(new).id
    assert single_run(new).identity()["optimizer"]["name"] == "sgd"  # as the first runs have it
