"""Tables 1 to 3, computed."""

import pytest

from llr.reproduce import reproduce


@pytest.mark.parametrize("name", ["jmlr-table1", "jmlr-table3"])
def test_formula_exact_rank_and_measured_rank_are_equal(name, tmp_path):
    result = reproduce(name, quick=True, output=tmp_path)
    assert result.verdict.word == "agrees"
    assert result.verdict.counts[1] >= 8


def test_every_width_of_table_two_is_there(small_table):
    _, result = small_table
    expected = {c.what: c.expected for c in result.verdict.comparisons}
    assert expected["d = 5, k = 3, exact rank"] == 18
    assert expected["d = 10, k = 10, measured rank"] == 110
    assert len(expected) == 48


def test_what_is_only_computed_says_so(small_table):
    _, result = small_table
    assert result.size == "Nothing is trained."


def test_figures_data_and_verdict_are_written(small_table):
    output, result = small_table
    names = {path.name for paths in result.files.values() for path in paths}
    assert names == {"jmlr-table2.png", "jmlr-table2.svg", "table.csv", "verdict.json"}
    assert all(
        path.parent == output / "jmlr-table2-quick" for p in result.files.values() for path in p
    )
