"""Sweeps that version 0.1.0 stored: their runs keep their ids, and none is trained again."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from llr.config import load_config
from llr.sweep import JsonLinesStore, RunSpec, grid, load_results, run_sweep

STORED = Path(__file__).parent / "stored_by_0_1_0"
FINISHED = ("descent", "adam", "flow", "near_target", "toys", "diverged")


@pytest.fixture
def folder_of(tmp_path):
    """A copy of a stored sweep, and the config in it, which writes to the copy."""

    def copy(name):
        folder = shutil.copytree(STORED / name, tmp_path / name)
        (folder / "ids.txt").unlink(missing_ok=True)
        return folder, load_config(folder / "config.yaml", {"output.dir": str(tmp_path)})

    return copy


@pytest.mark.parametrize("name", FINISHED)
def test_every_run_has_the_id_it_was_stored_under(name, folder_of):
    _, config = folder_of(name)
    ids = (STORED / name / "ids.txt").read_text().split()
    assert [spec.id for spec in grid(config)] == ids


@pytest.mark.parametrize("name", FINISHED)
def test_a_stored_sweep_resumes_with_no_run_trained(name, folder_of):
    folder, config = folder_of(name)
    (shard,) = (folder / "runs").glob("*.jsonl")
    lines = Counter(shard.read_bytes().splitlines())
    before = load_results(folder)
    result = run_sweep(config, progress=False)
    assert (result.n_runs, result.n_trained, result.damage) == (len(before), 0, ())
    assert [shard] == list((folder / "runs").glob("*.jsonl"))
    assert Counter(shard.read_bytes().splitlines()) == lines
    after = load_results(folder)
    columns = [name for name in before.columns if name in after.columns]
    assert columns == list(before.columns)
    assert before.equals(after[columns])


def test_a_sweep_that_was_interrupted_trains_the_missing_runs_alone(folder_of):
    folder, config = folder_of("interrupted")
    store = JsonLinesStore(folder)
    stored = {record["id"]: record for record in store.records(store.entries)}
    assert len(stored) == 31
    result = run_sweep(config, progress=False)
    assert (result.n_runs, result.n_trained) == (48, 17)
    store = JsonLinesStore(folder)
    assert {record["id"]: record for record in store.records(stored)} == stored
    ids = (STORED / "descent" / "ids.txt").read_text().split()
    assert list(load_results(folder)["id"]) == ids


def test_kept_parameters_are_read_back(folder_of):
    folder, config = folder_of("adam")
    for spec in grid(config):
        params = JsonLinesStore(folder).parameters(spec.id)
        spec.build_model().load_state_dict(params)


def test_a_single_run_is_read_back_under_its_id():
    (file,) = (STORED / "descent" / "single").glob("*.json")
    spec = RunSpec.from_dict(json.loads(file.read_text())["spec"])
    assert spec.id == file.stem
