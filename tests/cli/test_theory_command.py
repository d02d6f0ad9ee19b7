"""``llr theory``: the papers' numbers on the terminal."""

from pathlib import Path

import pytest
from tests.cases import PAPER_RANKS, SCALES

from llr.config import load_config


def numbers_of(text: str, start: str) -> list[str]:
    """The cells of the table row that starts with the given words."""
    line = next(line for line in text.splitlines() if line.strip("│ ").startswith(start + " "))
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_each_architecture_of_the_config_has_its_numbers(llr, folder: Path):
    result = llr("theory", "--measure-limit", "30")
    assert result.exit_code == 0
    assert load_config("config.yaml").model.scale == 1
    row = numbers_of(result.stdout, "mlp 1x")
    assert row == ["mlp 1x", "21", "21", "k (d + 2) = 21", "Theorem 4, biases counted", "21", "21"]
    row = numbers_of(result.stdout, "cnn_shared 1x")
    assert row[1:3] == ["7", "7"]
    assert row[5:] == ["7", "7"]


@pytest.mark.parametrize(
    ("keys", "model", "cells"),
    [
        (["model.scale=3"], "mlp 3x", ["21", "27", "21/2 to 27/2"]),
        (["model.type=deep_mlp", "model.activation=gelu"], "deep_mlp 1x", ["-", "-", "-"]),
    ],
)
def test_separation_and_learning_coefficient_follow(llr, keys, model, cells):
    text = llr("theory", "--measure-limit", "0", "sweep.enabled=false", *keys).stdout
    text = text[text.index("Sample sizes and learning coefficients") :]
    assert numbers_of(text, model)[1:] == cells


def test_the_twelve_numbers_are_printed_at_every_scale(llr):
    text = llr("theory", "--measure-limit", "0").stdout
    text = text[text.index("The same target") :]
    for name in ("cnn_shared", "cnn_noshare", "mlp"):
        wanted = [rank for (model, _, _), rank in PAPER_RANKS.items() if model == name]
        for scale in SCALES:
            cells = numbers_of(text, f"{name} {scale}x")[1:]
            assert cells == [f"{rank} = {rank}" for rank in wanted]
    assert "equal in 60 of 60 models" in text


@pytest.mark.slow
def test_formula_formal_and_measured_rank_agree_on_the_papers_target(llr):
    text = llr("theory").stdout
    assert "equal in 60 of 60 models" in text
    text = text[text.index("The same target") :]
    assert numbers_of(text, "mlp 100x")[1:] == [f"{r} = {r} = {r}" for r in (18, 21, 19, 22)]


def test_table_3_has_the_papers_numbers_and_needs_no_config(llr, folder: Path):
    (folder / "config.yaml").unlink()
    result = llr("theory", "--table", "3", "--measure-limit", "0")
    assert result.exit_code == 0
    for name, number in [("cnn_shared_2d", 685), ("cnn_noshare_2d", 6760), ("mlp", 530660)]:
        row = numbers_of(result.stdout, name)
        assert row[1:3] == [str(number)] * 2
        assert row[3].endswith(f"= {number}")
        assert row[5] == str(number)


def test_tables_1_and_2_take_sizes(llr):
    text = llr("theory", "--table", "2", "--input-dim", "2", "--width", "2").stdout
    assert numbers_of(text, "mlp, target of width 2")[2:] == [
        "6",
        "k (d + 1) = 6",
        "Theorem 4",
        "6",
        "6",
    ]
    text = llr("theory", "--table", "1", "--input-dim", "2", "--width", "2", "--width", "3").stdout
    assert numbers_of(text, "mlp 2-2-3-1")[-1] == "13"
    assert "Note:" not in text


def test_targets_without_a_closed_form_say_so(llr):
    result = llr("theory", "model.type=deep_mlp", "sweep.models=[deep_mlp]", "--measure-limit", "0")
    assert result.exit_code == 0
    assert "Note: target must have the model's depth, 3, got 2" in result.stdout


def test_overrides_choose_the_target(llr):
    result = llr(
        "theory",
        "data.target=random",
        "data.target_model=cnn_shared",
        "data.target_width=2",
        "sweep.models=[cnn_shared]",
        "sweep.scales=[1, 2]",
        "--measure-limit",
        "0",
    )
    assert result.exit_code == 0
    assert numbers_of(result.stdout, "cnn_shared 2x")[2] == "14"
    assert "at least 2 hidden channels" in result.stdout
