"""The papers' tables: every number in three columns, and where they part."""

from __future__ import annotations

import json

import pytest
import torch
from tests.cases import PAPER_RANKS, SCALES, set_weights
from tests.reference.high_precision_rank import high_precision_rank
from torch import nn

from llr.errors import InvalidInputError
from llr.models import PaperTeacherMLP, TwoLayerTanhMLP
from llr.tables import RankTable, architecture_table, rank_row, rank_table


def test_table_3_has_the_papers_numbers_in_every_column() -> None:
    table = rank_table(3, input_dim=28)
    wanted = [685, 6_760, 530_660]
    assert [row.formula_value for row in table.rows] == wanted
    assert [row.formal_rank for row in table.rows] == wanted
    assert [row.sample_size for row in table.rows] == wanted
    assert table.summary()["agree"] == 3


def test_small_tables_agree_with_a_rank_from_the_definition() -> None:
    measure = high_precision_rank
    for table in (
        rank_table(3, input_dim=3, kernel_size=2, measure=measure),
        rank_table(3, input_dim=4, kernel_size=2, n_axes=1, hidden_bias=True, measure=measure),
        rank_table(2, input_dim=2, widths=[3], output_bias=True, measure=measure),
    ):
        for row in table.rows:
            assert row.formula_value == row.formal_rank == row.measured_rank == row.sample_size


def test_table_2_has_a_row_for_every_intrinsic_width() -> None:
    table = rank_table(2, input_dim=5, widths=[4])
    assert [row.formula_value for row in table.rows] == [6 * k for k in range(5)]
    assert {row.n_parameters for row in table.rows} == {24}


def test_table_1_has_a_row_for_every_depth() -> None:
    seen: list[nn.Module] = []

    def measure(model: nn.Module) -> int:
        seen.append(model)
        return 7

    table = rank_table(1, input_dim=5, widths=[3, 2, 4], measure=measure)
    assert [row.formula_value for row in table.rows] == [18, 15 + 6 + 2, 15 + 6 + 8 + 4]
    assert [row.formal_rank for row in table.rows] == [18, 23, 33]
    assert [row.measured_rank for row in table.rows] == [7, 7, 7]
    assert len(seen) == 3
    assert not table.rows[0].agrees


def test_true_measures_by_model_rank_and_an_integer_limits_the_parameters() -> None:
    table = rank_table(2, input_dim=2, widths=[2], measure=True)
    assert [row.measured_rank for row in table.rows] == [0, 3, 6]
    assert [
        row.measured_rank for row in rank_table(2, input_dim=2, widths=[2], measure=5).rows
    ] == [
        None,
        None,
        None,
    ]


def test_a_doubtful_measured_rank_is_noted() -> None:
    model = TwoLayerTanhMLP(2, width=2, hidden_bias=False)
    target = set_weights(
        TwoLayerTanhMLP(2, width=2, hidden_bias=False), [[1.0, 2.0], [1.0 + 1e-9, 2.0]], [1, 1]
    )
    row = rank_row("nearly equal units", model, target, measure=True)
    assert row.formal_rank == 6
    assert row.measured_rank is not None
    assert row.measured_rank < 6
    assert "measured rank" in row.note


def test_the_architectures_table_has_the_twelve_numbers_at_every_scale() -> None:
    table = architecture_table(PaperTeacherMLP(), input_dim=5, scales=SCALES)
    assert len(table.rows) == 60
    for row in table.rows:
        key = (row.architecture.split()[0], row.hidden_bias, row.output_bias)
        assert row.agrees
        assert row.formal_rank == PAPER_RANKS[key]
    assert table.rows[-1].n_parameters == 300 * (5 + 2) + 1


def test_a_row_says_why_a_target_is_out_of_reach() -> None:
    rows = [[1.0, 2, 3, 4, 5]]
    target = set_weights(TwoLayerTanhMLP(5, width=1, hidden_bias=False), rows, [1])
    table = architecture_table(target, input_dim=5)
    assert [row.formal_rank for row in table.rows[:8]] == [None] * 8
    assert "does not: the neuron with nonzero weights" in table.rows[0].note
    assert not table.rows[0].agrees
    assert table.rows[8].formal_rank == 6


def test_a_table_prints_and_exports() -> None:
    table = architecture_table(PaperTeacherMLP(), input_dim=5)
    assert isinstance(table, RankTable)
    lines = table.to_text().splitlines()
    assert len(lines) == 2 + 12
    assert "formal rank" in lines[1]
    assert "measured rank" not in lines[1]
    assert repr(table) == table.to_text()
    assert json.loads(table.to_json())["rows"][0]["formal_rank"] == 6
    assert table._repr_html_().count("<tr>") == 13


def test_tables_draw_from_no_global_stream() -> None:
    state = torch.random.get_rng_state()
    rank_table(1, input_dim=3, widths=[2])
    rank_table(2, input_dim=3, widths=[2])
    architecture_table(PaperTeacherMLP(), input_dim=5)
    assert torch.equal(state, torch.random.get_rng_state())


def test_unknown_tables_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="table must be one of"):
        rank_table(4, input_dim=3)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="n_axes"):
        rank_table(3, input_dim=3, n_axes=3)  # type: ignore[arg-type]
