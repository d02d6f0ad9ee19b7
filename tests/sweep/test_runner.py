"""A sweep trains what is missing, keeps what it has, and says what went wrong."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from llr.config import load_config
from llr.errors import ConfigError, InvalidInputError, StoreError
from llr.sweep import (
    JsonLinesStore,
    SweepInterrupted,
    _train_chunk,
    build_problem,
    grid,
    load_results,
    optimizer_of,
    plan_sweep,
    read_results,
    run_sweep,
)
from llr.sweep._folder import locked
from llr.training import train_batch


def lines(folder):
    shards = folder.glob("runs/*.jsonl")
    return sorted(line for shard in shards for line in shard.read_text().splitlines())


def everything(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture
def broken(monkeypatch):
    """Training that raises where a test of the problem says so."""

    def make(when, error=RuntimeError):
        def train(problem, optimizer, **options):
            if when(problem):
                raise error("no luck")
            return train_batch(problem, optimizer, **options)

        monkeypatch.setattr(_train_chunk, "train_batch", train)

    return make


def has_size(n):
    return lambda problem: n in problem.n_train.tolist()


def test_every_run_of_the_grid_is_trained_as_it_is_alone(small):
    config = small()
    result = run_sweep(config)
    assert (result.n_runs, result.n_trained, result.failures) == (18, 18, ())
    runs = {run["id"]: run for run in read_results(result.folder)["runs"]}
    assert list(runs) == [spec.id for spec in grid(config)]
    for spec in grid(config):
        (alone,) = train_batch(build_problem([spec]), optimizer_of(spec), threads=1)
        run = runs[spec.id]
        assert (run["model"], run["scale"], run["width"]) == (spec.model, 1, spec.width)
        assert (run["sample_size"], run["seed"]) == (spec.sample_size, spec.seed)
        assert (run["status"], run["steps"]) == (alone.status, alone.steps)
        assert math.isclose(run["train_mse"], alone.train_mse, rel_tol=1e-9)
        assert math.isclose(run["test_mse"], alone.test_mse, rel_tol=1e-9)
        assert run["n_parameters"] == sum(p.numel() for p in spec.build_model().parameters())


def test_a_finished_sweep_trains_nothing_again(small, broken, runs_of):
    first = runs_of(run_sweep(small()).folder)
    broken(lambda problem: True)
    result = run_sweep(small())
    assert (result.n_trained, result.failures) == (0, ())
    assert runs_of(result.folder) == first


def test_a_sweep_says_at_its_end_how_its_runs_ended(small):
    result = run_sweep(small(training__lr=1000.0, init__std=0.1), progress=False)
    assert result.statuses == {"diverged": result.n_runs}
    assert str(result).endswith(f"0 stored before; in all {result.n_runs} diverged")
    again = run_sweep(small(training__lr=1000.0, init__std=0.1), progress=False)
    assert str(again).endswith(f"{result.n_runs} stored before; in all {result.n_runs} diverged")
    told = replace(result, statuses={"converged": 9, "stalled": 1, "failed": 2, "max_steps": 3})
    assert str(told).endswith(
        "; in all 2 given up by the solver, 1 stalled, 3 stopped at max_steps"
    )
    assert str(replace(result, statuses={"converged": 9})).endswith(" stored before")


def test_more_seeds_train_the_new_runs_alone(small, runs_of):
    folder = run_sweep(small()).folder
    before = lines(folder)
    result = run_sweep(small(sweep__seeds=3))
    assert (result.n_runs, result.n_trained) == (27, 9)
    assert set(before) < set(lines(folder))
    assert len(lines(folder)) == 27
    again = run_sweep(small())
    assert (again.n_runs, again.n_trained) == (18, 0)
    assert len(runs_of(folder)[0]) == 18


@pytest.mark.parametrize(
    "axis",
    [
        {"sweep__models": ["mlp"]},
        {"sweep__scales": [1, 2]},
        {"sweep__sample_sizes": [3, 4]},
        {"sweep__init_stds": [0.1, 1e-10]},
        {"sweep__seeds": [7]},
        {"data__train_size": 9, "model__scale": 2, "init__std": 0.5, "model__type": "cnn_shared"},
    ],
)
def test_every_axis_may_change_in_place(small, axis):
    folder = run_sweep(small(sweep__seeds=1)).folder
    result = run_sweep(
        small(sweep__seeds=1, **axis) if "sweep__seeds" not in axis else small(**axis)
    )
    assert result.folder == folder
    assert result.n_runs == len(load_results(folder))


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"training__lr": 0.05}, ["-training.lr: 0.1", "+training.lr: 0.05"]),
        ({"experiment__seed": 1}, ["-experiment.seed: 0", "+experiment.seed: 1"]),
        ({"data__noise_std": 0.1}, ["-data.noise_std: 0.0", "+data.noise_std: 0.1"]),
        ({"model__output_bias": True}, ["-model.output_bias: false"]),
    ],
)
def test_another_computation_in_the_same_folder_is_refused_with_the_difference(
    small, change, shown
):
    folder = run_sweep(small(sweep__seeds=1)).folder
    before = everything(folder)
    for attempt in (run_sweep, plan_sweep):
        with pytest.raises(StoreError) as caught:
            attempt(small(sweep__seeds=1, **change))
        assert all(line in str(caught.value) for line in shown)
        assert "--force" in str(caught.value)
    assert everything(folder) == before


@pytest.mark.parametrize(
    "change", [{"execution__batch_size": 2}, {"output__save_parameters": True}]
)
def test_how_runs_are_executed_may_change(small, change):
    run_sweep(small())
    assert run_sweep(small(**change)).n_trained == 0


def test_force_begins_a_new_folder_and_leaves_the_old_one_as_it_was(small, runs_of):
    first = run_sweep(small())
    before = everything(first.folder)
    second, third = run_sweep(small(), force=True), run_sweep(small(), force=True)
    assert [result.folder.name for result in (first, second, third)] == [
        "experiment",
        "experiment-2",
        "experiment-3",
    ]
    assert second.n_trained == 18
    assert everything(first.folder) == before
    assert runs_of(second.folder) == runs_of(first.folder)
    assert load_config(second.folder / "config.yaml").experiment.name == "experiment-2"


def test_force_in_an_empty_place_takes_the_name_itself(small):
    assert run_sweep(small(), force=True).folder.name == "experiment"


def test_the_stored_config_runs_the_same_sweep(small):
    folder = run_sweep(small()).folder
    assert run_sweep(load_config(folder / "config.yaml")).n_trained == 0


def test_a_plan_writes_nothing_and_counts_what_is_left(small, tmp_path):
    plan = plan_sweep(small())
    assert not list(tmp_path.iterdir())
    assert (plan.n_runs, plan.n_stored, plan.n_pending) == (18, 0, 18)
    assert plan.grid == {"models": 3, "scales": 1, "sample_sizes": 3, "init_stds": 1, "seeds": 2}
    assert "18 runs: 3 models x 1 scale x 3 sample sizes x 1 init std x 2 seeds" in str(plan)
    assert 0 < plan.seconds < 60
    run_sweep(small())
    before = everything(tmp_path)
    plan = plan_sweep(small(sweep__seeds=3))
    assert (plan.n_runs, plan.n_stored, plan.n_pending) == (27, 18, 9)
    assert plan_sweep(small()).n_pending == 0
    assert "nothing to train" in str(plan_sweep(small()))
    assert plan_sweep(small(), force=True).folder.name == "experiment-2"
    assert json.loads(plan.to_json())["n_pending"] == 9
    assert everything(tmp_path) == before


@pytest.mark.parametrize("call", [run_sweep, plan_sweep])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("my.yaml", r"must be a Config, got str; llr\.load_config\(path\) reads one\."),
        (
            {"sweep": {}},
            r"must be a Config, got dict; llr\.config\.parse_config\(values\) makes one",
        ),
    ],
)
def test_what_is_no_config_is_refused_with_what_reads_one(call, value, message):
    with pytest.raises(InvalidInputError, match=message):
        call(value)


def test_a_second_sweep_on_the_same_folder_is_refused(small):
    config = small()
    folder = run_sweep(config).folder
    with locked(folder):
        before = everything(folder)
        with pytest.raises(StoreError, match=r"one sweep at a time, but process \d+ on"):
            run_sweep(config)
        assert everything(folder) == before
    run_sweep(config)


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(small, tmp_path):
    folder = tmp_path / "outputs" / "experiment"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match=r"holds thesis\.txt"):
        run_sweep(small())
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_a_config_of_another_version_is_refused(small):
    folder = run_sweep(small(sweep__seeds=1)).folder
    stored = folder / "config.yaml"
    stored.write_text(stored.read_text().replace("identity 1", "identity 0"))
    with pytest.raises(StoreError, match=r"must read.*got '# llr sweep: store 1, identity 0'"):
        run_sweep(small(sweep__seeds=1))


@pytest.mark.parametrize("name", ["", "..", "../up", "/abs", "a/b", "results.json", "a\0b"])
def test_names_that_lead_elsewhere_are_refused(small, tmp_path, name):
    config = small()
    experiment = config.experiment.model_copy(update={"name": name})
    with pytest.raises(ConfigError, match=r"experiment\.name must be a plain folder name"):
        run_sweep(config.model_copy(update={"experiment": experiment}))
    assert not list(tmp_path.iterdir())


def test_a_chunk_that_raises_costs_only_the_run_that_is_to_blame(small, broken, capsys):
    broken(has_size(8))
    result = run_sweep(small())
    assert len(result.failures) == 6
    assert {failure.message for failure in result.failures} == {"RuntimeError: no luck"}
    runs = read_results(result.folder)["runs"]
    assert len(runs) == 18
    for run in runs:
        assert (run["status"] == "error") == (run["sample_size"] == 8)
    shown = capsys.readouterr().err
    assert "failed: RuntimeError: no luck Its runs will be tried one by one." in shown
    assert "no luck" in (result.folder / "errors.log").read_text()
    assert "6 failed" in str(result)
    rows = {(row["model"], row["sample_size"]): row for row in result.summary()}
    assert rows["mlp", 8]["error"] == 2
    assert rows["mlp", 8]["runs"] == 0
    assert rows["mlp", 8]["test_mse_mean"] is None


def test_runs_that_failed_are_tried_again_by_the_same_call(small, broken, monkeypatch):
    broken(has_size(8))
    folder = run_sweep(small()).folder
    monkeypatch.undo()
    result = run_sweep(small())
    assert (result.n_trained, result.failures) == (6, ())
    assert set(load_results(folder)["status"]) == {"max_steps"}


def test_an_interrupted_sweep_keeps_what_had_finished_and_says_how_to_go_on(
    small, broken, runs_of, monkeypatch
):
    undisturbed = runs_of(run_sweep(small(experiment__name="undisturbed")).folder)
    calls = iter(range(100))
    broken(lambda problem: next(calls) == 2, error=KeyboardInterrupt)
    with pytest.raises(SweepInterrupted, match=r"8 of 18 runs are finished.*same command goes on"):
        run_sweep(small())
    monkeypatch.undo()
    folder = Path(small().output.dir) / "experiment"
    assert len(read_results(folder)["runs"]) == 8
    assert read_results(folder)["n_finished"] == 8
    assert read_results(folder.parent)["name"] == "undisturbed"  # the latest finished sweep
    assert run_sweep(small()).n_trained == 10
    assert runs_of(folder) == undisturbed
    assert read_results(folder.parent)["name"] == "experiment"


def test_an_interrupted_new_start_says_its_own_name(small, broken):
    run_sweep(small())
    broken(lambda problem: True, error=KeyboardInterrupt)
    with pytest.raises(SweepInterrupted, match=r"experiment\.name=experiment-2 instead of --force"):
        run_sweep(small(), force=True)


def test_a_damaged_line_is_reported_and_its_run_comes_back_bit_for_bit(small, capsys, runs_of):
    folder = run_sweep(small()).folder
    undisturbed = runs_of(folder)
    (shard,) = folder.glob("runs/*.jsonl")
    damaged = shard.read_bytes().splitlines(keepends=True)
    damaged[5] = damaged[5].replace(b"0.", b"1.", 1)
    shard.write_bytes(b"".join(damaged))
    result = run_sweep(small())
    assert result.n_trained == 1
    assert result.damage == (f"{shard}, line 6: was changed: its checksum does not fit",)
    assert f"{shard}, line 6" in capsys.readouterr().err
    assert runs_of(folder) == undisturbed


def test_processes_give_the_results_of_one_process_bit_for_bit(small, runs_of):
    alone = run_sweep(small(experiment__name="alone"))
    pool = run_sweep(
        small(experiment__name="pool", execution__executor="processes", execution__workers=2)
    )
    assert runs_of(pool.folder) == runs_of(alone.folder)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_results_of_the_cpu(small, runs_of):
    results = [
        run_sweep(small(experiment__name=device, experiment__device=device, init__std=0.1))
        for device in ("cpu", "cuda")
    ]
    for cpu, gpu in zip(*(runs_of(result.folder)[0] for result in results), strict=True):
        assert (cpu["id"], cpu["steps"], cpu["status"]) == (gpu["id"], gpu["steps"], gpu["status"])
        assert math.isclose(cpu["test_mse"], gpu["test_mse"], rel_tol=1e-9)
    assert read_results(results[1].folder)["environment"]["device"] != "cpu"


def test_parameters_are_kept_where_asked_for(small):
    config = small(output__save_parameters=True)
    folder = run_sweep(config).folder
    spec = grid(config)[0]
    (alone,) = train_batch(build_problem([spec]), optimizer_of(spec), threads=1)
    model = spec.build_model()
    model.load_state_dict(JsonLinesStore(folder).parameters(spec.id))
    for name, parameter in model.named_parameters():
        assert parameter.detach().allclose(alone.params[name], rtol=1e-9)
    assert len(list((folder / "parameters").iterdir())) == 18


def test_histories_begin_and_end_with_the_run(small):
    folder = run_sweep(small()).folder
    runs = {run["id"]: run for run in read_results(folder)["runs"]}
    histories = JsonLinesStore(folder).histories(runs)
    assert histories.keys() == runs.keys()
    for run_id, history in histories.items():
        assert history["at"][0] == 0
        assert history["at"][-1] == runs[run_id]["steps"]
        assert history["test_mse"][-1] == runs[run_id]["test_mse"]


def test_runs_that_diverge_have_a_status_and_no_number(small):
    result = run_sweep(small(training__lr=1e9, init__std=1.0, sweep__models=["mlp"]))
    text = (result.folder / "results.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    table = result.runs
    assert set(table["status"]) == {"diverged"}
    assert table["train_mse"].dtype == "float64"
    assert {row["diverged"] for row in result.summary()} == {2}
    assert {row["recovered"] for row in result.summary()} == {0.0}


def test_the_progress_bar_counts_runs_and_shows_failures(small, broken, capsys):
    broken(has_size(8))
    run_sweep(small(), progress=True)
    shown = capsys.readouterr().err
    assert "18/18 runs" in shown
    assert "no luck" in shown


def test_it_is_quiet_where_there_is_no_terminal(small, capsys):
    run_sweep(small())
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_result_reads_well_in_a_notebook(small):
    html = run_sweep(small(experiment__name="a b"))._repr_html_()
    assert "<table" in html
    assert "test_mse_median" in html
