"""``llr condense`` on a config's target, a file of weights, and bad input."""

import json

import pytest
import torch
from click.testing import CliRunner

import llr
from llr.cli import main

FACTORY = """
import llr
def wide():
    model = llr.TwoLayerTanhMLP(5, width=6)
    model.load_state_dict(llr.embed(llr.PaperTeacherMLP(hidden_bias=True), model))
    return model
"""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine_to_condense.py").write_text(FACTORY)


def run(*arguments: str):
    return CliRunner().invoke(main, ["condense", *arguments])


def test_a_network_is_condensed_and_saved(tmp_path):
    done = run("mine_to_condense:wide", "--max-width", "4", "--save", "narrow.pt")
    assert done.exit_code == 0, done.output
    assert "width 3 (edge: clear" in done.output
    assert "optimistic sample size of its function: 21" in done.output
    narrow = llr.TwoLayerTanhMLP(5, width=3)
    narrow.load_state_dict(torch.load(tmp_path / "narrow.pt", weights_only=True))
    x = torch.randn(9, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.allclose(narrow(x), llr.PaperTeacherMLP()(x), atol=1e-6)


def test_json_has_every_number():
    done = run("mine_to_condense:wide", "--max-width", "3", "--json")
    row = json.loads(done.output)
    assert (row["width"], row["rank"], row["verdict"]) == (3, 21, "clear")
    assert len(row["errors"]) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tol", "2"], "tol must be a number"),
        (["--save", "narrow.bin"], "ends in .pt"),
        (["--data", "none.npy"], "there is no such data file"),
    ],
)
def test_bad_input_is_a_line(arguments, words):
    done = run("mine_to_condense:wide", *arguments)
    assert done.exit_code == 2
    assert words in done.output
    assert "Traceback" not in done.output
