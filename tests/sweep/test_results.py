"""Results files follow their schema, and are refused with a sentence where they do not."""

import csv
import json
import math
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llr._constants import RECOVERY_THRESHOLD
from llr.analysis import RecordSummary
from llr.config import parse_config
from llr.errors import ResultsError
from llr.sweep import (
    SCHEMA_VERSION,
    grid,
    load_results,
    optimistic_sample_sizes,
    read_results,
    run_sweep,
)
from llr.theory import optimistic_sample_size

SETTING = {"model": "mlp", "scale": 1, "width": 3, "init_std": 1e-10, "sample_size": 21}

WITH_WORDS = json.dumps(
    {
        "schema_version": SCHEMA_VERSION,
        "runs": [
            {**SETTING, "id": "a", "seed": 0, "status": "converged", "steps": 1}
            | {"train_mse": "low", "test_mse": 0.0, "seconds": 0.0}
        ],
    }
)
OF_VERSION_1 = json.dumps(json.loads(WITH_WORDS) | {"schema_version": 1})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    config = parse_config(
        {
            "training": {"max_steps": 30},
            "sweep": {"enabled": True, "sample_sizes": [8, 4], "scales": [1, 3], "seeds": 3},
            "output": {"dir": str(tmp_path_factory.mktemp("outputs"))},
        }
    )
    return run_sweep(config).folder


def summary_of(errors, status="max_steps"):
    table = RecordSummary()
    for error in errors:
        table.add({**SETTING, "status": status, "train_mse": error, "test_mse": error})
    (row,) = table.rows({})
    return row


def test_the_file_has_the_fields_that_the_schema_lists(folder):
    results = read_results(folder)
    assert list(results) == [
        "schema_version",
        "name",
        "n_runs",
        "n_finished",
        "config",
        "environment",
        "runs",
        "summary",
    ]
    assert results["schema_version"] == SCHEMA_VERSION
    assert (results["name"], results["n_runs"], results["n_finished"]) == ("experiment", 36, 36)
    assert parse_config(results["config"]).to_dict() == results["config"]
    environment = results["environment"]
    assert {"versions", "platform", "device", "threads", "dtype", "seed"} <= environment.keys()
    assert {"python", "llr", "torch", "numpy"} <= environment["versions"].keys()


def test_every_row_stands_on_a_line_of_its_own(folder):
    lines = (folder / "results.json").read_text().splitlines()
    assert sum(line.startswith('{"id": ') for line in lines) == 36
    assert sum(line.startswith('{"model": ') for line in lines) == 12


def test_the_table_the_csv_and_the_file_agree(folder):
    runs = read_results(folder)["runs"]
    table = load_results(folder)
    assert table.to_dict("records") == runs
    with (folder / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [run["id"] for run in runs]
    assert [float(row["test_mse"]) for row in rows] == [run["test_mse"] for run in runs]
    assert list(rows[0]) == list(runs[0])


def test_results_are_found_by_file_folder_and_output_folder(folder):
    by_folder = load_results(folder)
    pd.testing.assert_frame_equal(by_folder, load_results(folder / "results.json"))
    pd.testing.assert_frame_equal(by_folder, load_results(folder.parent))
    pd.testing.assert_frame_equal(by_folder, load_results(str(folder)))


def test_the_summary_is_that_of_the_runs(folder):
    table = load_results(folder)
    summary = pd.DataFrame(read_results(folder)["summary"])
    assert len(summary) == 12
    for row in summary.itertuples():
        cell = table.query(
            "model == @row.model and scale == @row.scale and sample_size == @row.sample_size"
        )
        assert row.runs == len(cell) == 3
        for error in ("train_mse", "test_mse"):
            assert math.isclose(getattr(row, f"{error}_mean"), cell[error].mean())
            assert math.isclose(getattr(row, f"{error}_standard_error"), cell[error].sem())
            assert math.isclose(getattr(row, f"{error}_median"), cell[error].median())
        assert row.recovered == (cell["test_mse"] < RECOVERY_THRESHOLD).mean()
        assert row.converged == (cell["status"] == "converged").sum()
    for _, rows in summary.groupby(["model", "scale"], sort=False):
        assert list(rows["sample_size"]) == [4, 8]


def test_optimistic_sample_sizes_stand_beside_the_runs(folder):
    table = load_results(folder)
    sizes = table.groupby("model")["optimistic_sample_size"].unique()
    assert {model: list(values) for model, values in sizes.items()} == {
        "mlp": [21],
        "cnn_shared": [7],
        "cnn_noshare": [15],
    }


@pytest.mark.parametrize(
    ("overrides", "wanted"),
    [
        ({"data.target": "random", "data.target_width": 2}, 12),
        ({"data.target": "random", "data.target_width": 40}, None),
        ({"model.type": "deep_mlp"}, None),
    ],
)
def test_optimistic_sample_sizes_are_those_of_the_theory_or_missing(overrides, wanted):
    base = {"sweep": {"enabled": True, "models": ["mlp"]}, "model": {"scale": 10}}
    if "model.type" in overrides:
        overrides = overrides | {"sweep.models": ["deep_mlp"]}
    specs = grid(parse_config(base, overrides))
    (size,) = optimistic_sample_sizes(specs).values()
    if wanted is None:
        assert size is None
    else:
        model, target = specs[0].build_model(), specs[0].target.build()
        assert size == optimistic_sample_size(model, target).value == 2 * (5 + 2)


@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=20))
def test_summary_statistics_equal_those_of_numpy(errors):
    row = summary_of(errors)
    assert row["runs"] == len(errors)
    assert math.isclose(row["test_mse_mean"], np.mean(errors), rel_tol=1e-12)
    assert math.isclose(row["test_mse_median"], np.median(errors), rel_tol=1e-12)
    assert row["recovered"] == np.mean(np.array(errors) < 1e-3)
    if len(errors) == 1:
        assert row["test_mse_standard_error"] is None
    json.dumps(row, allow_nan=False)


def test_a_run_without_a_finite_error_is_infinitely_wrong():
    row = summary_of([1e-5, 1e-4, None])
    assert row["test_mse_mean"] is None
    assert row["test_mse_standard_error"] is None
    assert row["test_mse_median"] == 1e-4
    assert row["recovered"] == 2 / 3
    assert summary_of([1e-5, None, None])["test_mse_median"] is None


def test_a_run_that_failed_is_counted_and_no_more():
    table = RecordSummary()
    table.add({**SETTING, "status": "error", "train_mse": None, "test_mse": None})
    table.add({**SETTING, "status": "converged", "train_mse": 1e-9, "test_mse": 1e-6})
    (row,) = table.rows({})
    assert (row["runs"], row["error"], row["converged"]) == (1, 1, 1)
    assert (row["test_mse_mean"], row["recovered"]) == (1e-6, 1.0)


def test_an_unfinished_sweep_loads_from_its_store(folder, tmp_path):
    (tmp_path / "runs").symlink_to(folder / "runs")
    stored, written = load_results(tmp_path), load_results(folder)
    columns = list(stored.columns)
    assert columns == [name for name in written.columns if name != "optimistic_sample_size"]
    pd.testing.assert_frame_equal(
        stored.sort_values("id", ignore_index=True),
        written[columns].sort_values("id", ignore_index=True),
    )


def test_no_results_are_asked_for_with_the_sweeps_that_there_are(folder, tmp_path):
    with pytest.raises(ResultsError, match=r"must be a results\.json or a folder that holds one"):
        load_results(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "results.json").write_text("{}")
    with pytest.raises(ResultsError, match=r"Sweeps there: mine\."):
        load_results(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be readable JSON"),
        ("[1, 2", "must be readable JSON"),
        ("[]", "must have schema_version 1 or 2, got None"),
        ('{"schema_version": 3}', "must have schema_version 1 or 2, got 3"),
        ('{"schema_version": true}', "must have schema_version 1 or 2, got True"),
        ('{"schema_version": 2}', "no list of records under 'runs'"),
        ('{"schema_version": 1}', "no list of records under 'runs'"),
        ('{"schema_version": 1, "runs": [3]}', "run number 0 is no record, but 3"),
        ('{"schema_version": 1, "runs": [{"id": "a"}]}', "run number 0 has no model"),
        (WITH_WORDS, "has 'low' for train_mse, which must be a finite number >= 0 or null"),
        (OF_VERSION_1, "has 'low' for train_mse, which must be a finite number >= 0 or null"),
        ("[" * 100_000, "must be readable JSON"),
    ],
)
def test_a_file_that_does_not_follow_the_schema_is_refused(tmp_path, text, message):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ResultsError, match=message):
        load_results(path)


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda children: (
            st.lists(children, max_size=4)
            | st.dictionaries(
                st.sampled_from(["schema_version", "runs", "id", "test_mse"]), children
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_a_results_file_holds_there_is_a_table_or_a_sentence(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzzed.json"
    path.write_bytes(data)
    with suppress(ResultsError):
        load_results(path)
