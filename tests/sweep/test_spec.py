"""Specs: identity is what is computed; numbers do not depend on what is computed beside them."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from llr.config import parse_config
from llr.data import make_target
from llr.errors import ConfigError, InvalidInputError
from llr.sweep import RunSpec, build_problem, grid, optimizer_of, single_run
from llr.training import Problem, train_batch

SMALL = {
    "sweep.enabled": True,
    "sweep.sample_sizes": [5, 9],
    "sweep.seeds": 2,
    "sweep.scales": [1, 2],
    "data.test_size": 20,
}


def run(**changes: object) -> RunSpec:
    values = {name.replace("__", "."): value for name, value in changes.items()}
    return single_run(parse_config({}, values))


def test_a_grid_is_the_product_of_its_axes_in_order():
    specs = grid(parse_config({}, SMALL | {"sweep.init_stds": [1e-10, 1e-2]}))
    points = [(s.model, s.scale, s.sample_size, s.init_std, s.seed) for s in specs]
    assert points == [
        (model, scale, n, std, seed)
        for model in ("mlp", "cnn_shared", "cnn_noshare")
        for scale in (1, 2)
        for n in (5, 9)
        for std in (1e-10, 1e-2)
        for seed in (0, 1)
    ]
    assert {(s.model, s.scale): s.width for s in specs} == {
        ("mlp", 1): 3,
        ("mlp", 2): 6,
        ("cnn_shared", 1): 1,
        ("cnn_shared", 2): 2,
        ("cnn_noshare", 1): 1,
        ("cnn_noshare", 2): 2,
    }
    assert len({s.id for s in specs}) == len(specs)


def test_a_model_without_a_width_appears_once_whatever_the_scales():
    config = parse_config(
        {},
        {
            "sweep.enabled": True,
            "sweep.models": ["diagonal", "mlp"],
            "sweep.scales": [1, 3],
            "sweep.sample_sizes": [4],
            "sweep.seeds": 1,
        },
    )
    assert [(s.model, s.scale, s.width) for s in grid(config)] == [
        ("diagonal", None, None),
        ("mlp", 1, 3),
        ("mlp", 3, 9),
    ]


def test_a_sweep_that_is_not_enabled_says_what_to_do():
    with pytest.raises(ConfigError, match=r"sweep.enabled=true to the command; llr train"):
        grid(parse_config({}))


def test_ids_never_change():
    # Stored runs are found by these ids: a change here orphans every results folder.
    assert run().id == "e88cfaa75b396a2b"
    flow = run(training__optimizer="gradient_flow", model__type="cnn_shared", data__noise_std=0.5)
    assert flow.id == "f8a09a0aed7d6746"


COMPUTED = {
    "experiment.seed": 1,
    "data.input_dim": 6,
    "data.train_size": 21,
    "data.test_size": 999,
    "data.distribution": "uniform",
    "data.target": "random",
    "data.noise_std": 0.1,
    "model.type": "cnn_noshare",
    "model.scale": 11,
    "model.hidden_bias": False,
    "model.output_bias": True,
    "model.activation": "relu",
    "training.optimizer": "adam",
    "training.lr": 0.2,
    "training.max_steps": 7,
    "training.tol": 1e-9,
    "training.weight_decay": 0.1,
    "training.dropout": 0.1,
    "init.method": "default",
    "init.std": 1e-9,
}
EXECUTED = {
    "experiment.name": "other",
    "experiment.device": "cuda",
    "output.dir": "elsewhere",
    "output.save_parameters": True,
    "execution.engine": "torch",
    "execution.executor": "processes",
    "execution.workers": 3,
    "execution.threads": 2,
    "execution.batch_size": 5,
    "model.kernel_size": 3,
    "model.depth": 9,
    "model.activation": "tanh",
    "sweep.seeds": 77,
    "data.noise_std": 0,
    "training.lr": 1e-1,
}


@pytest.mark.parametrize("key", COMPUTED)
def test_what_is_computed_is_in_the_id(key: str):
    assert run(**{key: COMPUTED[key]}).id != run().id


@pytest.mark.parametrize("key", EXECUTED)
def test_how_it_is_executed_is_not_in_the_id(key: str):
    assert run(**{key: EXECUTED[key]}).id == run().id


def test_every_setting_of_what_is_computed_has_an_id_of_its_own():
    assert len({run(**{key: value}).id for key, value in COMPUTED.items()}) == len(COMPUTED)


def test_a_width_and_the_scale_that_gives_it_are_the_same_run():
    assert run(model__width=30).id == run(model__scale=10).id
    assert run(model__width=30).scale is None


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"training.optimizer": "gradient_flow"},
        {"data.target": "affine", "data.target_coefficients": [0, 1, 2, 3, 4, 5.5]},
        {
            "model.type": "matrix_factorization",
            "data.input_dim": 4,
            "data.distribution": "entries",
            "data.target": "M2",
            "data.entries": [[3, 1], [4, 3], [2, 1]],
        },
    ],
)
def test_a_spec_makes_the_round_trip_through_json(changes: dict):
    spec = run(**changes)
    again = RunSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert again.id == spec.id
    assert hash(again.batch_key) == hash(spec.batch_key)


def test_whole_floats_and_integers_are_the_same_number_in_an_id():
    spec = run()
    assert dataclasses.replace(spec, noise_std=0).id == spec.id


def test_entries_are_counted_from_one_in_configs_and_only_those_used_are_in_the_id():
    base = {
        "model.type": "matrix_factorization",
        "data.input_dim": 4,
        "data.distribution": "entries",
        "data.target": "M2",
        "data.train_size": 2,
    }
    spec = run(**base, **{"data.entries": [[3, 1], [4, 3], [2, 1]]})
    assert spec.entries == ((2, 0), (3, 2))
    assert spec.id == run(**base, **{"data.entries": [[3, 1], [4, 3]]}).id
    assert build_problem([spec]).y_train.flatten().tolist() == [8.0, 8.1]


def test_the_number_of_parameters_is_the_models():
    assert run(model__type="cnn_shared", model__scale=100).n_parameters == 700


def tensors(problem: Problem) -> dict[str, torch.Tensor]:
    names = ("x_train", "y_train", "n_train", "x_test", "y_test", "seeds")
    return problem.params | {name: getattr(problem, name) for name in names}


def test_a_runs_tensors_do_not_depend_on_the_runs_beside_it():
    specs = [s for s in grid(parse_config({}, SMALL)) if (s.model, s.scale) == ("mlp", 2)]
    assert len({spec.sample_size for spec in specs}) == 2
    together = build_problem(specs)
    for position, spec in enumerate(specs):
        alone = tensors(build_problem([spec]))
        for name, value in tensors(together.select([position])).items():
            assert torch.equal(value, alone[name]), name
        assert optimizer_of(spec) == spec.optimizer


def test_specs_of_different_architectures_cannot_be_stacked():
    with pytest.raises(InvalidInputError, match="got 2 of them; group the runs by batch_key"):
        build_problem([run(), run(model__scale=3)])
    with pytest.raises(InvalidInputError, match="got 0 of them"):
        build_problem([])


def changed(before: RunSpec, after: RunSpec) -> set[str]:
    """Which tensors of a run differ where both have rows."""
    one, two = (tensors(build_problem([spec])) for spec in (before, after))
    names = set()
    for name in one.keys() & two.keys():
        a, b = one[name], two[name]
        rows = min(a.shape[1], b.shape[1]) if name[:2] in ("x_", "y_") else None
        a, b = a[:, :rows] if rows else a, b[:, :rows] if rows else b
        if a.shape != b.shape or not torch.allclose(a, b, rtol=1e-13, atol=0):
            names.add(name)
    return names


PARAMS = {"hidden.weight", "hidden.bias", "output.weight"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"data.test_size": 37}, set()),
        ({"data.train_size": 31}, {"n_train"}),
        ({"data.noise_std": 0.1}, {"y_train"}),
        ({"init.std": 1.0}, PARAMS),
        ({"init.method": "default"}, PARAMS),
        ({"data.target": "random"}, {"y_train", "y_test"}),
        ({"training.lr": 0.5, "training.dropout": 0.1}, set()),
        ({"model.type": "cnn_shared"}, PARAMS),
        ({"model.scale": 3}, PARAMS),
        ({"data.distribution": "uniform"}, {"x_train", "y_train", "x_test", "y_test"}),
        (
            {"experiment.seed": 1},
            {"x_train", "y_train", "x_test", "y_test", "seeds", *PARAMS},
        ),
    ],
)
def test_changing_one_thing_leaves_the_others_as_they_were(change: dict, expected: set[str]):
    base = {"data.test_size": 50}
    assert changed(run(**base), run(**base | change)) == expected


def test_all_runs_of_a_sweep_share_a_random_target_and_it_is_the_experiments():
    values = SMALL | {"data.target": "random", "data.target_width": 2}
    specs = grid(parse_config({}, values))
    assert len({spec.target for spec in specs}) == 1
    other = grid(parse_config({}, values | {"experiment.seed": 5, "sweep.seeds": [0, 1]}))
    assert other[0].seed == specs[0].seed
    x = torch.ones(1, 5, dtype=torch.float64)
    assert other[0].target.build()(x) != specs[0].target.build()(x)


def test_initial_values_of_different_stds_are_the_same_draws():
    small, large = (build_problem([run(init__std=std)]).params for std in (1e-10, 1e-2))
    for name, value in small.items():
        torch.testing.assert_close(value * 1e8, large[name], rtol=1e-14, atol=0)


def write_target(path: Path, value: float = 1.0) -> None:
    path.write_text(f"hidden: {{weight: [[{value}, 0, 0, 0, 0]]}}\noutput: {{weight: [[1]]}}\n")


def test_a_file_target_is_known_by_its_contents_not_by_its_place(tmp_path: Path):
    here, there, other = (tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml"))
    write_target(here)
    write_target(there)
    write_target(other, 2.0)
    specs = [run(data__target="file", data__target_path=str(p)) for p in (here, there, other)]
    assert specs[0].id == specs[1].id != specs[2].id
    assert torch.equal(
        build_problem([specs[0]]).y_test, torch.tanh(build_problem([specs[0]]).x_test[:, :, :1])
    )


def test_a_file_target_that_changes_meanwhile_is_noticed(tmp_path: Path):
    path = tmp_path / "target.yaml"
    write_target(path)
    spec = run(data__target="file", data__target_path=str(path))
    write_target(path, 3.0)
    with pytest.raises(InvalidInputError, match="its contents have changed"):
        build_problem([spec])


def test_a_file_target_that_does_not_fit_is_refused_before_anything_is_trained(tmp_path: Path):
    path = tmp_path / "target.pt"
    with pytest.raises(ConfigError, match=r"data.target_path: .*target.pt"):
        run(data__target="file", data__target_path=str(path))
    torch.save(make_target("paper", input_dim=6).state_dict(), path)
    with pytest.raises(ConfigError, match=r"inputs of shape \(5,\), as mlp .* shape \(6,\)"):
        run(data__target="file", data__target_path=str(path))


def test_building_and_training_leave_the_global_generator_alone():
    before = torch.random.get_rng_state()
    spec = run(training__max_steps=3, data__noise_std=0.1, data__target="random")
    train_batch(build_problem([spec]), spec.optimizer, engine="torch")
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("model", ["cnn_shared", "cnn_noshare", "mlp"])
def test_a_run_can_start_near_its_target(model: str):
    spec = run(init__method="near_target", init__std=1e-6, model__type=model, data__test_size=50)
    problem = build_problem([spec])
    params = {name: value[0] for name, value in problem.params.items()}
    with torch.no_grad():
        predicted = torch.func.functional_call(problem.model, params, (problem.x_test[0],))
    error = (predicted - problem.y_test[0]).square().mean()
    assert 0 < error < 1e-8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.type": "diagonal"}, "cannot start diagonal: target must be affine"),
        ({"model.scale": 1, "data.target": "random", "data.target_width": 9}, "at least 9 hidden"),
    ],
)
def test_a_start_near_a_target_that_cannot_be_expressed_is_refused(changes: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        run(**{"init.method": "near_target"}, **changes)
    sweep = {"sweep.enabled": True, "init.method": "near_target"}
    with pytest.raises(ConfigError, match=message):
        grid(
            parse_config({}, sweep | {"sweep.models": [changes.get("model.type", "mlp")]} | changes)
        )
