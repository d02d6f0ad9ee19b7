"""The page as a file: complete in itself, escaped, honest about what is missing."""

import base64
import hashlib
import json
import re
import shutil
import sys

import numpy as np
import pytest
import torch
from tests.reference.runs import synthetic_runs

from llr.analysis import summary_table, transition
from llr.config import parse_config
from llr.errors import MissingExtraError, ResultsError, StoreError
from llr.report import write_report
from llr.report._display_names import sci
from llr.report._page import render
from llr.report._page_data import choose_evenly, page_data
from llr.report._sweep_in_words import asked, listed
from llr.sweep import JsonLinesStore, StoredSweep, open_sweep

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=hacked=1>"

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def sweep_folder(finished_sweep, tmp_path):
    """A copy of a finished sweep, to be taken apart."""
    return shutil.copytree(finished_sweep, tmp_path / "copy")


def made_up(folder, runs, **changes):
    """A sweep of a table of runs, with nothing kept but their records."""
    parts = {"name": "made up", "n_runs": len(runs), "config": {}, "environment": {}} | changes
    return StoredSweep(folder=folder, runs=runs, store=JsonLinesStore(folder), **parts)


def data_of(page):
    """The JSON inside a page."""
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def without_plotly(page):
    """A page without the one script that is not ours."""
    return re.sub(r"<script>\s*/\*\*\s*\* plotly.*?</script>", "", page, count=1, flags=re.DOTALL)


def test_the_report_is_one_file_beside_the_results(sweep_folder, tmp_path):
    assert write_report(sweep_folder) == sweep_folder / "report.html"
    other = write_report(sweep_folder, output=tmp_path / "new" / "page.html")
    assert other.read_bytes() == (sweep_folder / "report.html").read_bytes()


def test_the_page_asks_the_network_for_nothing(sweep_folder):
    page = render(open_sweep(sweep_folder))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    ours = without_plotly(page)
    assert len(ours) < len(page) - 1_000_000
    assert not re.search(
        r"https?://|<link(?! rel=\"icon\" href=\"data:)|<script[^>]+src|@import", ours
    )


def test_the_policy_admits_the_pages_own_scripts_and_no_others(sweep_folder):
    page = render(open_sweep(sweep_folder)).replace("\r\n", "\n")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = {base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts}
    assert len(digests) == 2
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == digests
    assert "unsafe-inline" not in policy.split("style-src")[0]


def test_every_name_from_the_user_is_escaped(tmp_path, seed_runs):
    seed_runs = seed_runs[seed_runs.model == "mlp"]
    runs = seed_runs.assign(
        model=HOSTILE, id=[f"{HOSTILE}{i}" for i in range(len(seed_runs))], message=HOSTILE
    )
    sweep = made_up(
        tmp_path, runs, name=HOSTILE, config={HOSTILE: {HOSTILE: HOSTILE}},
        environment={HOSTILE: HOSTILE}, n_runs=1000,
    )  # fmt: skip
    failed = runs.iloc[:1].assign(status="error", id="e", message=HOSTILE)
    for shown in (sweep, made_up(tmp_path, failed, name=HOSTILE)):
        page = render(shown)
        ours = without_plotly(page)
        assert "<img" not in ours
        assert ours.count("<script") == ours.count("</script") <= 3
        assert "&lt;/script&gt;&lt;script&gt;window.hacked=1" in ours
    assert data_of(render(sweep))["architectures"][0]["name"] == HOSTILE


def test_the_numbers_behind_the_page_are_the_analysis(sweep_folder):
    sweep = open_sweep(sweep_folder)
    data = page_data(sweep)
    summary = summary_table(sweep.runs, by=["model", "scale"])
    assert data["sizes"] == [5, 10, 20]
    assert data["settings"] == ["1x", "3x"]
    models = ["mlp", "cnn_shared"]
    for row in data["rows"]:
        cells = summary[
            (summary.model == models[row["architecture"]])
            & (summary.scale == [1, 3][row["setting"]])
        ]
        for name in ("mean", "median", "geometric_mean", "share", "standard_error", "low", "high"):
            np.testing.assert_allclose(row[name], cells[name].astype(float), rtol=1e-3)
        assert row["n_runs"] == cells.n_runs.tolist() == [2, 2, 2]
        assert row["optimistic"] == [21, 7][row["architecture"]]
        for n, members in zip(data["sizes"], row["runs"], strict=True):
            assert len(members) == 2
            for member in members:
                run = data["runs"][member]
                record = sweep.runs[sweep.runs.id == run["id"]].iloc[0]
                assert (record.model, record.sample_size) == (models[row["architecture"]], n)
                assert run["n"] == n
                assert run["test"] == pytest.approx(record.test_mse, rel=1e-3)
                assert run["details"]["seed"] == record.seed


def test_a_run_has_its_losses_and_parameters(sweep_folder):
    sweep = open_sweep(sweep_folder)
    for run in page_data(sweep)["runs"]:
        kept = sweep.store.histories([run["id"]])[run["id"]]
        assert run["history"]["at"][0] == kept["at"][0]
        assert run["history"]["at"][-1] == kept["at"][-1]
        np.testing.assert_allclose(run["history"]["test_mse"][-1], kept["test_mse"][-1], rtol=1e-3)
        weights = sweep.store.parameters(run["id"])
        assert len(run["parameters"]) == len(weights)
        shown = [value for values in run["parameters"].values() for value in values]
        stored = [v for tensor in weights.values() for v in tensor.flatten().tolist()]
        np.testing.assert_allclose(shown, stored, rtol=1e-3)


def test_what_was_not_kept_is_not_there(sweep_folder):
    shutil.rmtree(sweep_folder / "histories")
    shutil.rmtree(sweep_folder / "parameters")
    run = page_data(open_sweep(sweep_folder))["runs"][0]
    assert run["history"] is None
    assert run["parameters"] is None


def test_a_network_with_very_many_parameters_is_not_written_out(sweep_folder, monkeypatch):
    sweep = open_sweep(sweep_folder)
    wide = {"weight": torch.zeros(5001)}
    monkeypatch.setattr(JsonLinesStore, "parameters", lambda self, run_id: wide)
    assert {run["parameters"] is None for run in page_data(sweep)["runs"]} == {True}


def test_diverged_runs_and_missing_cells_are_null(tmp_path, seed_runs):
    runs = seed_runs[~((seed_runs.model == "mlp") & (seed_runs.sample_size == 50))].copy()
    runs.loc[(runs.model == "mlp") & (runs.sample_size == 5) & (runs.seed == 2), "test_mse"] = (
        np.inf
    )
    row = page_data(made_up(tmp_path, runs))["rows"][0]
    assert row["mean"][0] is None
    assert row["n_diverged"][0] == 1
    assert row["median"][0] > 0
    assert row["mean"][3] is None
    assert row["n_runs"][3] in (0, None)
    assert row["runs"][3] == []


def test_the_first_run_of_a_cell_is_that_of_median_error_and_the_others_go_by_seed(seed_runs):
    runs = seed_runs.assign(setting="")
    chosen = choose_evenly(runs, most=len(runs))
    assert sorted(chosen.id) == sorted(runs.id)
    for (_, _), cell in chosen.groupby(["model", "sample_size"]):
        assert cell.test_mse.iloc[0] == cell.test_mse.median()
        assert cell.seed.iloc[1:].is_monotonic_increasing
    fewer = choose_evenly(runs, most=20)
    assert len(fewer) == 20
    assert fewer.groupby(["model", "sample_size"]).ngroups == 18
    assert len(choose_evenly(runs, most=7)) == 7


def test_ten_thousand_runs_make_a_page_of_bounded_size(tmp_path):
    runs = synthetic_runs(models={"mlp": 21, "cnn_shared": 7}, sample_sizes=range(1, 51), seeds=100)
    data = page_data(made_up(tmp_path, runs))
    assert data["n_runs"] == 10_000
    assert len(data["runs"]) == 2_000
    assert len(json.dumps(data)) < 2_000_000
    assert sum(sum(row["n_runs"]) for row in data["rows"]) == 10_000


def test_the_table_of_transitions_stands_in_the_page(sweep_folder):
    sweep = open_sweep(sweep_folder)
    page = render(sweep)
    table = re.search(r'<section id="transitions">.*?</section>', page, re.DOTALL)[0]
    rows = re.findall(r"<tr><th scope.*?</tr>", table, re.DOTALL)
    assert len(rows) == 4
    for row, (model, scale) in zip(
        rows, [("mlp", 1), ("mlp", 3), ("cnn_shared", 1), ("cnn_shared", 3)], strict=True
    ):
        one = sweep.runs[(sweep.runs.model == model) & (sweep.runs.scale == scale)]
        words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", row)).replace("&gt;", ">").split()
        measured = str(transition(one))
        assert measured in " ".join(words)
        assert ("21" if model == "mlp" else "7") in words


def test_a_half_done_sweep_is_reported_and_marked(sweep_folder):
    (sweep_folder / "results.json").unlink()
    (shard,) = (sweep_folder / "runs").iterdir()
    shard.write_bytes(b"".join(shard.read_bytes().splitlines(keepends=True)[:10]))
    page = render(open_sweep(sweep_folder))
    assert "<strong>Still running or stopped:</strong> 10 of 24 runs are finished." in page
    assert data_of(page)["n_runs"] == 10


def test_a_sweep_without_a_finished_run_has_a_page_that_says_so(sweep_folder):
    (sweep_folder / "results.json").unlink()
    shutil.rmtree(sweep_folder / "runs")
    (sweep_folder / "runs").mkdir()
    page = render(open_sweep(sweep_folder))
    assert "0 of 24 runs are finished" in page
    assert "No run has finished yet." in page
    assert len(page) < 100_000


def test_runs_that_failed_are_counted_with_their_reason(tmp_path, seed_runs):
    runs = seed_runs.assign(message="")
    runs.loc[runs.index[:2], ["status", "message"]] = ["error", "out of <memory>"]
    page = render(made_up(tmp_path, runs))
    assert "88 of 90 runs are finished" in page
    assert "<li>2: out of &lt;memory&gt;</li>" in page


def test_a_folder_without_a_sweep_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="a folder that holds one"):
        write_report(tmp_path)


def test_a_file_that_cannot_be_written_is_said(sweep_folder):
    (sweep_folder / "taken").mkdir()
    with pytest.raises(StoreError, match="taken must be writable"):
        write_report(sweep_folder, output=sweep_folder / "taken")


@pytest.mark.parametrize("library", ["jinja2", "plotly.offline"])
def test_a_missing_library_is_named_with_its_extra(library, sweep_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'llr\[report\]'"):
        write_report(sweep_folder)


def test_what_was_asked_is_told_in_words(seed_runs):
    config = parse_config({"sweep": {"enabled": True}}).to_dict()
    question, grid, training, criterion = asked(config, seed_runs, n_runs=90)
    assert question.startswith("How many samples do networks need to recover f*(x) = tanh(0.6")
    assert question.endswith("from standard normal inputs in dimension 5?")
    assert grid == (
        "There are 90 runs: fully connected, unshared CNN and shared CNN; scale 10x; "
        "6 sample sizes (5 to 200 samples); 5 seeds."
    )
    assert training == (
        "Each starts from normal parameters of deviation 1e-10 and follows full-batch gradient "
        "descent with learning rate 0.1 until its training MSE is at most 1e-10, or 20,000 steps "
        "are done."
    )
    assert criterion == (
        "A run has recovered the target if its MSE on 1,000 test samples is below 0.001."
    )


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"data": {"target": "M3", "distribution": "entries", "input_dim": 4}},
         "the papers' 4 by 4 matrix M3, from random entries of a matrix in dimension 4"),
        ({"data": {"target": "random", "target_model": "mlp", "target_width": 3}},
         "a random fully connected network of 3 neurons"),
        ({"data": {"target": "three_bumps", "distribution": "grid", "low": -15.0, "high": 14.0}},
         "evenly spaced inputs on [-15, 14]"),
        ({"data": {"noise_std": 0.1, "distribution": "normal"}}, "noise of deviation 0.1"),
        ({"training": {"optimizer": "gradient_flow", "tol": 1e-20, "max_time": 1e8}},
         "follows the gradient flow until its training MSE is at most 1e-20, or time 100,000,000"),
        ({"training": {"optimizer": "adam", "lr": 1e-3, "dropout": 0.1},
          "init": {"method": "default"}},
         "PyTorch's default initialisation and follows full-batch Adam with learning rate 0.001"
         " and dropout 0.1"),
        ({"init": {"std": 1.0}, "sweep": {"init_stds": [1e-4, 1.0]},
          "training": {"optimizer": "sgd"}},
         "normal parameters of deviation 1e-4 and 1"),
        ({}, "recover the target?"),
    ],
)  # fmt: skip
def test_every_kind_of_question_has_words(config, words, seed_runs):
    assert words in " ".join(asked(config, seed_runs, n_runs=1))


def test_lists_and_numbers_read_as_people_write_them():
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == [
        "", "a", "a and b", "a, b and c",
    ]  # fmt: skip
    assert [sci(v) for v in (1e-10, 0.05, 20000, 1e8, 2.5e-7)] == [
        "1e-10", "0.05", "20,000", "100,000,000", "2.5e-7",
    ]  # fmt: skip
