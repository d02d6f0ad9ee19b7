"""Tables 1 to 3: formula, exact rank and measured rank side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd
import torch
from torch import nn

from llr.models import MLP, ModelName, ModelSizes, build_model, initialize
from llr.reproduce._beside import draw_beside
from llr.reproduce._judgement import Finished, Outcome
from llr.reproduce._verdict import Comparison, Verdict
from llr.seeds import generator
from llr.tables import RankRow, rank_row
from llr.theory import (
    fully_connected_size,
    shared_convolution_size,
    unshared_convolution_size,
)

__all__ = ["judge_convolutions", "judge_deep_networks", "judge_widths"]


def judge_deep_networks(finished: Finished) -> Outcome:
    """Table 1: the bound for a narrow target, and the rank of the wide network that holds it."""
    rows = []
    for case in finished.paper["cases"]:
        d, wide, narrow = case["input_dim"], case["wide"], case["target"]
        label = f"d = {d}, widths {_dashed(wide)}, target {_dashed(narrow)}"
        target = _drawn(MLP(d, widths=narrow, hidden_bias=False, generator=torch.Generator()))
        model = MLP(d, widths=wide, hidden_bias=False, generator=torch.Generator())
        rows.append(_row(label, model, target))
    return _outcome(finished.name, rows, "The formula is the model rank of the target's embedding.")


def judge_widths(finished: Finished) -> Outcome:
    """Table 2: k (d + 1)."""
    width = finished.paper["width"]
    rows = [
        _row(f"d = {d}, k = {k}", _network("mlp", ModelSizes(d, width, hidden_bias=False)), k)
        for d in finished.paper["input_dims"]
        for k in finished.paper["target_widths"]
    ]
    return _outcome(finished.name, rows, f"The network has width {width}.")


def judge_convolutions(finished: Finished) -> Outcome:
    """Table 3: measured where the sizes allow, the paper's own example from the formulas."""
    rows = []
    for case in finished.paper["measured"]:
        d, s, k = case["input_dim"], case["kernel_size"], case["kernels"]
        narrow = ModelSizes(d, k, kernel_size=s, hidden_bias=False)
        target = _drawn(_network("cnn_shared_2d", narrow))
        neurons = case["width"] * (d - s + 1) ** 2
        for name, short in _ARCHITECTURES.items():
            flat = name == "mlp"
            sizes = ModelSizes(
                d**2 if flat else d,
                neurons if flat else case["width"],
                kernel_size=s,
                hidden_bias=False,
            )
            rows.append(
                _row(
                    f"d = {d}, s = {s}, {k} of {case['width']} kernels, {short}",
                    _network(name, sizes),
                    target,
                )
            )
    example = finished.paper["example"]
    d, s = example["input_dim"], example["kernel_size"]
    neurons = (d - s + 1) ** 2
    formulas = {
        "cnn_shared_2d": shared_convolution_size(d, kernels=1, kernel_size=s, n_axes=2),
        "cnn_noshare_2d": unshared_convolution_size(d, kernels=1, kernel_size=s, n_axes=2),
        "mlp": fully_connected_size(d**2, width=neurons),
    }
    printed = tuple(
        Comparison(
            f"d = {d}, s = {s}, one kernel, {short}, formula",
            expected=example[name],
            source="printed",
            measured=formulas[name].value,
        )
        for name, short in _ARCHITECTURES.items()
    )
    return _outcome(
        finished.name,
        rows,
        f"For d = {d}, s = {s} the formulas give "
        + ", ".join(str(form.value) for form in formulas.values())
        + ".",
        printed,
    )


_ARCHITECTURES: dict[ModelName, str] = {
    "cnn_shared_2d": "shared",
    "cnn_noshare_2d": "unshared",
    "mlp": "fully connected",
}


def _network(name: ModelName, sizes: ModelSizes) -> nn.Module:
    """A network whose parameters mean nothing yet."""
    return build_model(name, sizes, generator=torch.Generator())


def _drawn(model: nn.Module) -> nn.Module:
    """A generic target: standard normal parameters."""
    return initialize(model, std=1.0, generator=generator(0, "target"))


def _row(label: str, model: nn.Module, target: nn.Module | int) -> RankRow:
    """One line of a table, its rank measured at the parameters that the theory names."""
    return rank_row(label, model, target, measure=True)


def _dashed(sizes: Sequence[int]) -> str:
    """``3-2``."""
    return "-".join(map(str, sizes))


def _outcome(
    name: str, rows: Sequence[RankRow], words: str, printed: tuple[Comparison, ...] = ()
) -> Outcome:
    """Formula beside exact and measured rank, row by row."""
    comparisons: list[Comparison] = []
    for row in rows:
        found: dict[str, Any] = {"exact": row.formal_rank, "measured": row.measured_rank}
        comparisons += [
            Comparison(f"{row.architecture}, {kind} rank", row.formula_value, "formula", rank)
            for kind, rank in found.items()
            if rank is not None
        ]
    equal = sum(row.agrees for row in rows)
    verdict = Verdict(
        name,
        f"Formula, exact rank and measured rank are equal in {equal} of {len(rows)} rows.",
        (*comparisons, *printed),
        words,
    )
    figure = draw_beside(
        [row.architecture for row in rows],
        [row.formula_value or 0 for row in rows],
        [row.measured_rank for row in rows],
        quantity="model rank",
    )
    return Outcome(verdict, {name: figure}, {"table": pd.DataFrame([asdict(row) for row in rows])})
