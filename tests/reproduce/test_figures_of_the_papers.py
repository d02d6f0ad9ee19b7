"""Judges of the papers' heat maps, on runs whose switches are known."""

import math

import pandas as pd
import pytest

from llr.reproduce import Plan, load_reproduction, reproduce
from llr.reproduce._architectures import judge_jmlr_fig3, judge_optimistic_fig4
from llr.reproduce._heat_maps import first_below
from llr.reproduce._toys_and_matrices import judge_initial_sizes, judge_matrices, judge_toys

OPTIMISTIC = {"mlp": 21, "cnn_noshare": 15, "cnn_shared": 7}


def architectures(switching_runs, *, late=0):
    """Runs that switch where the paper's do, or later."""
    paper = load_reproduction("jmlr-fig3").paper["transitions"]
    return switching_runs(
        [
            {
                "model": model,
                "scale": scale,
                "variant": "",
                "n_parameters": 7 * scale,
                "optimistic_sample_size": OPTIMISTIC[model],
                "sizes": range(1, 41),
                "at": at + late,
            }
            for model, rows in paper.items()
            for scale, at in rows.items()
        ]
    )


@pytest.mark.parametrize(("late", "word"), [(0, "agrees"), (3, "agrees"), (4, "differs")])
def test_architectures_agree_within_three_samples(finished, switching_runs, late, word):
    runs = architectures(switching_runs, late=late)
    verdict = judge_jmlr_fig3(finished("jmlr-fig3", runs)).verdict
    assert verdict.word == word
    assert len(verdict.comparisons) == 30
    assert (
        f"{late:+.1f} samples by the median and {late:+.1f} samples by the mean" in verdict.findings
    )


def test_one_failed_run_of_three_moves_the_mean_and_leaves_the_median(finished, switching_runs):
    runs = architectures(switching_runs)
    runs.loc[runs["seed"] == 0, "test_mse"] = 0.1
    verdict = judge_jmlr_fig3(finished("jmlr-fig3", runs)).verdict
    by_median = [c for c in verdict.comparisons if c.what.endswith("median")]
    assert all(c.agrees for c in by_median)
    assert all(c.measured is None for c in verdict.comparisons if c.what.endswith("mean"))


def test_a_learning_rate_that_diverges_is_not_chosen(finished, switching_runs):
    runs = architectures(switching_runs).assign(lr=0.1)
    worse = runs.assign(lr=0.5, test_mse=math.inf)

    both = pd.concat([worse, runs], ignore_index=True)
    outcome = judge_jmlr_fig3(
        finished("jmlr-fig3", both, sweeps=[(Plan("", {"training.lr": 0.1}), None)])
    )
    assert outcome.verdict.word == "agrees"
    assert set(outcome.data["test_error"]["lr"]) == {0.1}


def test_only_the_lowest_panels_name_the_abscissa(finished, switching_runs):
    figure = judge_jmlr_fig3(finished("jmlr-fig3", architectures(switching_runs))).figures
    labels = [bool(ax.get_xlabel()) for ax in figure["jmlr-fig3"].axes[:4]]
    assert labels == [False, False, True, True]


def test_the_second_papers_rows_are_named_by_the_number_of_parameters(finished, switching_runs):
    outcome = judge_optimistic_fig4(finished("optimistic-fig4", architectures(switching_runs)))
    assert outcome.verdict.word == "agrees"
    labels = [t.get_text() for t in outcome.figures["optimistic-fig4"].axes[1].get_yticklabels()]
    assert labels == ["M = 7", "M = 21", "M = 70", "M = 238", "M = 700"]


def test_what_was_trained_is_said_in_a_sentence(finished, switching_runs):
    size = finished("jmlr-fig3", architectures(switching_runs), sweeps=[(Plan(""), None)]).size
    asked = "1800 runs (scales 1, 3, 10, 34, 100; n = 1 to 40; 3 seeds): 1800 converged. "
    assert size == f"{asked}30.0 minutes of one processor core."


def test_toys_switch_at_two_and_three_samples(finished, switching_runs):
    paper = load_reproduction("optimistic-fig1").paper["transitions"]
    rows = [
        {
            "model": model,
            "variant": target,
            "optimistic_sample_size": at,
            "sizes": (1, 2, 3),
            "at": at,
        }
        for model, targets in paper.items()
        for target, at in targets.items()
    ]
    verdict = judge_toys(finished("optimistic-fig1", switching_runs(rows))).verdict
    assert verdict.word == "agrees"
    assert verdict.headline.endswith("on the targets 1, 1 + x1, x1.")
    assert "at least 100% of the runs recover" in verdict.findings


def test_matrices_switch_at_their_optimistic_sample_sizes(finished, switching_runs):
    paper = load_reproduction("optimistic-fig2").paper["transitions"]
    rows = [
        {"variant": name, "optimistic_sample_size": at, "sizes": range(1, 17), "at": at}
        for name, at in paper.items()
    ]
    rows.append({**rows[0], "variant": "M1, random entries", "at": 10})
    outcome = judge_matrices(finished("optimistic-fig2", switching_runs(rows)))
    assert outcome.verdict.word == "agrees"
    assert "half the runs recover from n = 10" in outcome.verdict.findings
    titles = [ax.get_title(loc="left") for ax in outcome.figures["optimistic-fig2"].axes[:3]]
    assert [title[:3] for title in titles] == ["(a)", "(b)", "(c)"]


@pytest.mark.parametrize(("large", "agrees"), [(0, False), (2, True)])
def test_a_large_start_must_switch_later(finished, switching_runs, large, agrees):
    rows = [
        {
            "variant": variant,
            "init_std": std,
            "optimistic_sample_size": at,
            "sizes": range(1, 12),
            "at": at + large * (std == 1.0),
        }
        for variant, at in {"toy": 2, "matrix": 7}.items()
        for std in (1e-5, 1.0)
    ]
    verdict = judge_initial_sizes(finished("optimistic-fig3", switching_runs(rows))).verdict
    assert [c.agrees for c in verdict.comparisons] == [True, agrees] * 2


def test_nothing_is_first_below_where_nothing_is_below():
    table = pd.DataFrame({"sample_size": [5, 6], "mean": [1.0, math.inf]})
    assert first_below(table, "mean", 1e-3) is None


def test_dropout_is_trained_judged_and_its_clusters_counted(tmp_path):
    result = reproduce(
        "jmlr-fig4",
        quick=True,
        output=tmp_path,
        overrides={"training.max_steps": 20, "sweep.sample_sizes": [9, 12]},
    )
    stems = {path.stem for path in result.files["figures"]}
    assert stems == {"jmlr-fig4", "condensation-dropout", "condensation-no-dropout"}
    settled = [c.measured for c in result.verdict.comparisons[:3]]
    assert settled == [None, None, None]  # after 20 steps nothing is learnt
    clusters = pd.read_csv(result.folder / "clusters.csv").set_index("variant")
    assert (clusters["n_neurons"] + clusters["n_left_out"] == 300).all()
    assert "4 runs (n = 9 to 12; 1 seeds): 4 took all their steps." in result.size


@pytest.mark.slow
def test_the_linear_toy_needs_three_samples(tmp_path):
    result = reproduce("optimistic-fig1", quick=True, output=tmp_path, overrides={"sweep.seeds": 1})
    measured = {c.what: c.measured for c in result.verdict.comparisons}
    assert all(n == 3 for what, n in measured.items() if "nonlinear" not in what)
