"""The pages of the documentation, and the command that makes them."""

import shutil

import pytest
from click.testing import CliRunner

from llr.cli import main
from llr.reproduce import Job, write_page


@pytest.fixture
def gallery(tmp_path, small_table):
    """A gallery that holds table 2."""
    output, result = small_table
    write_page(result, Job("jmlr-table2", quick=True, output=output), tmp_path)
    return tmp_path


def test_a_page_shows_command_verdict_numbers_figure_and_data(gallery):
    text = (gallery / "jmlr-table2-quick.md").read_text()
    assert "$ llr reproduce jmlr-table2 --quick" in text
    assert "**Agrees: 48 of 48 numbers.** Formula, exact rank and measured rank are equal" in text
    unfolded = text.partition("<details>")[0]
    assert unfolded.startswith("# Sample sizes of two-layer networks\n")
    assert sum(line.startswith("| d = ") for line in unfolded.splitlines()) == 6
    assert sum(line.startswith("| d = ") for line in text.splitlines()) == 6 + 48
    assert text.count("<details>") == text.count("</details>") == 4
    assert "| d = 5, k = 3, exact rank | 18 | formula | 18 | yes |" in text
    assert "Nothing is trained." in text
    for name in ("jmlr-table2.svg", "table.csv", "verdict.json"):
        assert f"(jmlr-table2-quick/{name})" in text
        assert (gallery / "jmlr-table2-quick" / name).is_file()
    assert not list(gallery.glob("*/*.png"))


def test_the_index_lists_what_is_stored_in_the_order_of_the_names(gallery, small_table):
    output, result = small_table
    stored = gallery / "jmlr-table2-quick"
    for name in ("optimistic-fig1", "jmlr-table1", "jmlr-fig3-sgd", "jmlr-fig3"):
        shutil.copytree(stored, gallery / name)
    write_page(result, Job("jmlr-table2", quick=True, output=output), gallery)
    index = (gallery / "index.md").read_text()
    order = [
        index.index(f"[{name}]({name}.md)")
        for name in (
            "jmlr-fig3",
            "jmlr-fig3-sgd",
            "jmlr-table1",
            "jmlr-table2-quick",
            "optimistic-fig1",
        )
    ]
    assert order == sorted(order)
    headline = "Formula, exact rank and measured rank are equal in 24 of 24 rows."
    assert f"| 48 of 48 | {headline} |" in index


def test_another_optimizer_and_overrides_are_named_on_the_page(tmp_path, small_table):
    _, result = small_table
    job = Job("jmlr-fig3", optimizer="sgd", overrides={"sweep.scales": [1, 3]})
    text = write_page(result, job, tmp_path).read_text()
    assert "$ llr reproduce jmlr-fig3 --optimizer sgd sweep.scales=[1,3]" in text
    assert "Other than in the YAML file: sweep.scales=[1,3]. " in text
    assert text.splitlines()[0].endswith(", by sgd")
    assert "the learning rate of each setting" in text


def call(*arguments):
    """``llr reproduce`` with arguments."""
    return CliRunner().invoke(main, ["reproduce", *arguments])


def test_the_command_writes_figures_and_a_page(tmp_path):
    done = call("jmlr-table1", "--output", str(tmp_path), "--gallery", str(tmp_path / "docs"))
    assert done.exit_code == 0, done.output
    assert "jmlr-table1: agrees" in done.output
    assert (tmp_path / "jmlr-table1" / "jmlr-table1.svg").is_file()
    assert (tmp_path / "docs" / "jmlr-table1.md").is_file()


def test_the_command_lists_the_names_where_one_is_unknown(tmp_path):
    done = call("jmlr-fig33", "--output", str(tmp_path))
    assert done.exit_code != 0
    assert "jmlr-fig3" in done.output
    assert "Traceback" not in done.output


def test_a_dry_run_writes_nothing(tmp_path):
    done = call("jmlr-fig3", "--dry-run", "--output", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert "9450 runs" in done.output
    assert not (tmp_path / "out").exists()


def test_a_name_is_asked_for():
    assert "llr reproduce --list" in call().output


def test_the_list_has_a_line_for_every_name():
    lines = call("--list").output.splitlines()
    assert len(lines) == 11
    assert all(len(line.split("  ", 1)) == 2 for line in lines)
