"""``llr certify``, ``llr check-certificate`` and ``--certify`` of other commands."""

import json
from pathlib import Path

import numpy as np
import pytest

FACTORY = """
import llr
from llr.seeds import generator

def tiny():
    model = llr.TwoLayerTanhMLP(2, width=2)
    return llr.initialize(model, std=1e-10, generator=generator(0, "init"))

def other():
    return llr.initialize(tiny(), std=1.0, generator=generator(1, "init"))
"""


@pytest.fixture
def factory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"certified_{abs(hash(folder))}"
    Path(f"{name}.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(str(folder))
    return name


def test_a_rank_is_proved_its_certificate_written_and_checked(llr, factory: str):
    result = llr("certify", f"{factory}:tiny", "--out", "c.json")
    assert result.exit_code == 0, result.stderr
    assert "rank 8, proved ✓ (of 8 parameters)" in result.stdout
    assert "at least 8: a theorem, by ball arithmetic" in result.stdout
    result = llr("check-certificate", "c.json", f"{factory}:tiny")
    assert result.exit_code == 0, result.stdout
    assert "Lower bound 8: proved" in result.stdout
    assert "The model rank is 8." in result.stdout
    result = llr("check-certificate", "c.json", f"{factory}:other")
    assert result.exit_code == 1
    assert result.stdout.startswith("Rejected: The parameters or buffers of the model are not")


def test_the_rank_on_samples_and_json(llr, factory: str):
    np.save("x.npy", np.random.default_rng(0).normal(size=(5, 2)))
    result = llr("certify", f"{factory}:tiny", "--data", "x.npy", "--no-theory", "--json")
    assert result.exit_code == 0, result.stderr
    row = json.loads(result.stdout)
    assert (row["rank"], row["n_rows"], row["upper_by"]) == (5, 5, "rows")


def test_a_bound_that_is_asked_for(llr, factory: str):
    result = llr("certify", f"{factory}:tiny", "--rank", "3")
    assert "at least 3: a theorem" in result.stdout


def test_rank_and_check_prove_beside_what_they_measure(llr, factory: str):
    result = llr("rank", f"{factory}:tiny", "--certify")
    assert "certified    rank 8, proved ✓ (of 8 parameters)" in result.stdout
    assert (
        json.loads(llr("rank", f"{factory}:tiny", "--certify", "--json").stdout)["certified"][
            "rank"
        ]
        == 8
    )
    np.save("x.npy", np.random.default_rng(0).normal(size=(8, 2)))
    result = llr("check", f"{factory}:tiny", "--data", "x.npy", "--certify")
    assert "certified    certain: the rank on x is 8, all of the model rank" in result.stdout


def test_theory_proves_in_place_of_measuring(llr, folder: Path):
    result = llr("theory", "--table", "3", "--input-dim", "5", "--certify", "--measure-limit", "30")
    assert result.exit_code == 0, result.stderr
    assert "proved" in result.stdout
    assert "measured" not in result.stdout


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("certify", "nothing"), "MODEL must be"),
        (("certify", "{factory}:tiny", "--max-precision", "3"), "max_precision"),
        (("certify", "{factory}:tiny", "--out", "none/c.json"), "cannot be written"),
    ],
)
def test_a_mistake_is_a_line(llr, factory: str, command, words: str):
    result = llr(*(part.format(factory=factory) for part in command))
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert words in result.stderr


def test_a_file_that_is_no_certificate_is_rejected_in_a_line(llr, factory: str):
    Path("c.json").write_text("{}")
    result = llr("check-certificate", "c.json", f"{factory}:tiny")
    assert result.exit_code == 1
    assert result.stdout.startswith("Rejected: The format must be")
