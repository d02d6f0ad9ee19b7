"""One class knows the layout of a sweep's folder, and reads all of it."""

import re
from pathlib import Path

import pytest

import llr
from llr.errors import ResultsError
from llr.sweep import SweepPaths, load_results, open_sweep, run_sweep

STORED = Path(__file__).parent / "stored_by_0_1_0"
SOURCE = Path(llr.__file__).parent


def test_a_finished_sweep_is_read_from_its_results():
    sweep = open_sweep(STORED / "descent")
    assert (sweep.name, sweep.n_runs, sweep.n_finished, sweep.is_complete) == (
        "descent",
        48,
        48,
        True,
    )
    assert sweep.runs.equals(load_results(STORED / "descent"))
    assert list(sweep.specs) == list(sweep.runs["id"])
    assert sweep.histories(sweep.runs["id"]).keys() == set(sweep.runs["id"])


def test_an_unfinished_sweep_is_read_from_its_store():
    sweep = open_sweep(STORED / "interrupted")
    assert (sweep.n_runs, sweep.n_finished, sweep.is_complete) == (48, 31, False)
    assert set(sweep.runs["optimistic_sample_size"]) <= {7, 15, 21}
    assert sweep.environment == {}


def test_every_path_of_a_finished_sweep_is_where_it_says(small):
    config = small(output__save_parameters=True)
    paths = open_sweep(run_sweep(config).folder).paths
    files = (paths.config, paths.results, paths.table, paths.latest_results, paths.lock)
    assert all(path.is_file() for path in files)
    assert all(path.is_dir() for path in (paths.runs, paths.histories, paths.parameters))
    assert paths.is_stored
    assert paths.shards()


def test_parameters_that_were_not_kept_are_none():
    sweep = open_sweep(STORED / "descent")
    assert sweep.parameters(sweep.runs["id"][0]) is None
    kept = open_sweep(STORED / "adam")
    assert kept.parameters(kept.runs["id"][0])


def test_a_folder_without_a_sweep_is_refused(tmp_path):
    with pytest.raises(ResultsError, match=r"must be a results\.json or a folder that holds one"):
        open_sweep(tmp_path)
    assert not SweepPaths(tmp_path).is_stored


def test_no_other_file_spells_the_layout():
    """Prose may name the files; a path joined from such a name may not."""
    join = re.compile(
        r"""/ f?["'](results\.(json|csv)|config\.yaml|runs|histories|parameters|figures)["']"""
    )
    joined = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if join.search(path.read_text())
    }
    assert joined <= {"sweep/_paths.py", "cli/_verify.py"}  # verify checks the names themselves
