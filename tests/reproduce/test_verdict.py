"""Numbers beside the paper's, and what they amount to."""

import json
import math

import pandas as pd
import pytest

from llr.reproduce import Comparison, Verdict
from llr.reproduce._tuning import tuned_runs


@pytest.mark.parametrize(
    ("measured", "relation", "tolerance", "agrees"),
    [
        (7, "equals", 0, True),
        (8, "equals", 0, False),
        (8, "equals", 1, True),
        (5, "equals", 1, False),
        (5, "at most", 0, True),
        (8, "at most", 0, False),
        (9, "at least", 0, True),
        (6, "at least", 0, False),
        (6, "at least", 1, True),
        (None, "equals", 9, False),
    ],
)
def test_a_number_agrees_if_the_relation_holds_within_the_tolerance(
    measured, relation, tolerance, agrees
):
    found = Comparison("n", 7, "paper", measured, tolerance, relation)
    assert found.agrees is agrees
    assert ("differs" in str(found)) is not agrees


def test_a_record_without_an_expectation_neither_agrees_nor_differs():
    record = Comparison("n", None, "", 3)
    assert record.agrees is None
    assert str(record) == "n: 3"
    assert Verdict("v", "", (record,)).counts == (0, 0)


@pytest.mark.parametrize(
    ("measured", "word"), [((7, 8), "agrees"), ((7, 9), "agrees in part"), ((1, 1), "differs")]
)
def test_the_word_says_how_many_agree(measured, word):
    pairs = zip((7, 8), measured, strict=True)
    verdict = Verdict("v", "", tuple(Comparison("n", e, "", m) for e, m in pairs))
    assert verdict.word == word
    assert f"v: {word}" in verdict.line


def test_a_verdict_is_json_even_where_a_number_is_not_finite():
    text = Verdict("v", "words", (Comparison("n", math.inf, "", math.nan),)).to_json()
    (row,) = json.loads(text)["comparisons"]
    assert row["expected"] is None
    assert row["measured"] is None


def test_each_setting_keeps_the_value_with_the_least_mean_error():
    runs = pd.DataFrame(
        {
            "n": [5] * 4 + [6] * 4,
            "lr": [0.1, 0.1, 0.5, 0.5] * 2,
            "test_mse": [1.0, 3.0, 1.0, 2.0, 1e-9, 1e-9, 1e-12, math.nan],
        }
    )
    best = tuned_runs(runs, ["lr"], by=["n"])
    assert best.groupby("n")["lr"].unique().map(list).to_dict() == {5: [0.5], 6: [0.1]}
    assert len(best) == 4


def test_without_values_under_trial_every_run_is_kept():
    runs = pd.DataFrame({"n": [5, 6], "test_mse": [1.0, 2.0]})
    assert tuned_runs(runs, [], by=["n"]) is runs
