"""The shipped YAML files, and the sweeps that they ask for."""

import pytest

from llr.config import OPTIMIZER_ALIASES
from llr.errors import ConfigError, InvalidInputError
from llr.reproduce import NAMES, Job, list_reproductions, load_reproduction
from llr.reproduce import _settings as settings_module
from llr.reproduce._settings import Reproduction, plan_sweeps, slug

TRAINED = [name for name in NAMES if not name.startswith("jmlr-table")]


@pytest.mark.parametrize("name", NAMES)
def test_every_reproduction_says_what_it_shows_and_where_it_is_from(name):
    settings = load_reproduction(name)
    assert settings.title
    assert settings.source
    assert len(settings.about) > 100
    assert settings.paper


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", TRAINED)
def test_every_sweep_is_a_valid_config_in_a_folder_of_its_own(name, quick, tmp_path):
    job = Job(name, quick=quick, output=tmp_path)
    job.write_weights()
    sweeps = job.sweeps()
    names = [config.experiment.name for _, config in sweeps]
    assert names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [(name, other) for name in TRAINED for other in load_reproduction(name).optimizers],
)
def test_every_optimizer_can_be_asked_for(name, optimizer, tmp_path):
    trained_by = {
        config.training.optimizer
        for _, config in Job(name, optimizer=optimizer, output=tmp_path).sweeps()
    }
    name = optimizer.removesuffix("_full")
    assert trained_by == {OPTIMIZER_ALIASES.get(name, name)}


def test_the_full_size_of_the_architectures_is_the_papers():
    (plan,) = plan_sweeps(load_reproduction("jmlr-fig3"))
    sweep = {**load_reproduction("jmlr-fig3").sweep["sweep"], **plan.overrides}
    assert sweep["scales"] == [1, 3, 10, 34, 100]
    assert sweep["sample_sizes"] == list(range(1, 64))
    assert sweep["seeds"] == 10


def test_a_name_that_does_not_exist_lists_those_that_do():
    with pytest.raises(InvalidInputError, match="jmlr-fig3"):
        Job("jmlr-fig33")


def test_an_optimizer_that_does_not_exist_lists_those_that_do():
    with pytest.raises(InvalidInputError, match="gradient_flow"):
        Job("jmlr-fig3", optimizer="adam")


def test_the_list_holds_every_name_once():
    assert list(list_reproductions()) == list(NAMES)


def test_a_key_that_the_schema_lacks_is_refused_with_its_place(monkeypatch):
    wrong = {"title": "", "source": "", "about": "", "papper": {}}
    monkeypatch.setattr(settings_module, "parse_yaml", lambda *_, **__: wrong)
    with pytest.raises(ConfigError, match=r"jmlr-fig3\.yaml: papper"):
        load_reproduction("jmlr-fig3")


def make(**fields) -> Reproduction:
    """Settings of two variants and two optimizers."""
    return Reproduction(
        title="t",
        source="s",
        about="a",
        sweep={"sweep": {}},
        optimizers={
            "flow": {"set": {"training.tol": 1e-3}},
            "sgd": {"set": {"training.tol": 1e-2}, "tune": {"training.lr": [0.1, 0.2]}},
        },
        variants={"first": {"model.width": 3}, "second": {"training.tol": 1e-9}},
        **fields,
    )


def test_the_first_optimizer_is_the_default_and_a_variant_wins_over_it():
    plans = plan_sweeps(make())
    assert [plan.variant for plan in plans] == ["first", "second"]
    assert [plan.overrides["training.tol"] for plan in plans] == [1e-3, 1e-9]


def test_every_value_under_trial_is_a_sweep_of_every_variant():
    plans = plan_sweeps(make(), optimizer="sgd")
    assert [plan.folder for plan in plans] == [
        "first-lr-0.1",
        "first-lr-0.2",
        "second-lr-0.1",
        "second-lr-0.2",
    ]
    assert plans[1].tuned_columns == {"lr": 0.2}


def test_a_quick_look_has_fewer_variants_values_and_runs_but_overrides_win():
    quick = {
        "set": {"sweep.seeds": 1},
        "variants": ["second"],
        "optimizers": {"sgd": {"set": {"training.max_steps": 5}, "tune": {"training.lr": [0.5]}}},
    }
    (plan,) = plan_sweeps(
        make(quick=quick), optimizer="sgd", quick=True, overrides={"sweep.seeds": 7}
    )
    assert plan.folder == "second-lr-0.5"
    assert plan.overrides["sweep.seeds"] == 7
    assert plan.overrides["training.max_steps"] == 5
    (flow,) = plan_sweeps(make(quick=quick), quick=True)
    assert "training.max_steps" not in flow.overrides


def test_a_reproduction_without_a_sweep_trains_nothing():
    assert plan_sweeps(load_reproduction("jmlr-table1")) == []


def test_folders_of_sizes_and_optimizers_differ():
    folders = {
        Job("jmlr-fig3", quick=quick, optimizer=optimizer).folder.name
        for quick in (False, True)
        for optimizer in (None, "gradient_flow", "sgd")
    }
    assert folders == {"jmlr-fig3", "jmlr-fig3-quick", "jmlr-fig3-sgd", "jmlr-fig3-sgd-quick"}


@pytest.mark.parametrize(
    ("text", "name"), [("M2, order 1", "m2-order-1"), ("lr-0.05", "lr-0.05"), ("..", "")]
)
def test_a_slug_is_a_file_name(text, name):
    assert slug(text) == name


def test_gradient_descent_names_what_reproductions_call_sgd():
    by_name, by_former_name = (
        Job("jmlr-fig3", optimizer=name) for name in ("gradient_descent", "sgd")
    )
    assert by_name == by_former_name
    assert plan_sweeps(make(), optimizer="gradient_descent") == plan_sweeps(make(), optimizer="sgd")
