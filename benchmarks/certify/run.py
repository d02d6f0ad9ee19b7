"""Certified ranks: time of a proof, and what floating point says of the same network.

    python benchmarks/certify/run.py            # all: some minutes
    python benchmarks/certify/run.py --quick    # the papers' target alone; nothing is written

Each figure is processor time of a whole call, the second in the process: the first imports the
tracer. The peer is ``torch.linalg.matrix_rank`` of J in float64 on fresh normal inputs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import llr
from llr.seeds import generator
from llr.sweep import describe_environment

HERE = Path(__file__).parent


def generic(model: nn.Module, std: float = 1.0) -> nn.Module:
    """At normal parameters."""
    return llr.initialize(model, std=std, generator=generator(0, "target"))


def wide(model: nn.Module) -> nn.Module:
    """A model at parameters of the papers' target."""
    size = llr.optimistic_sample_size(model, llr.PaperTeacherMLP())
    model.load_state_dict(size.witness)
    return model


class Encoder(nn.Module):
    """A transformer's encoder layer on three tokens of four numbers."""

    input_shape = (3, 4)

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            4, 2, 8, dropout=0.0, batch_first=True, activation="gelu"
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x).flatten(1)


def split() -> nn.Module:
    """20 neurons in d = 20, split into 230."""
    narrow = generic(llr.TwoLayerTanhMLP(20, width=20))
    model = llr.TwoLayerTanhMLP(20, width=230)
    weights = llr.embed(narrow, model, method="split", generator=generator(0, "noise"))
    model.load_state_dict(weights)
    return model


CASES: dict[str, Callable[[], nn.Module]] = {
    "target, shared, width 100": lambda: wide(llr.SharedTanhConv1D(5, width=100, kernel_size=3)),
    "target, unshared, width 100": lambda: wide(llr.NoShareTanhConv1D(5, width=100, kernel_size=3)),
    "target, fully connected, width 100": lambda: wide(llr.TwoLayerTanhMLP(5, width=100)),
    "3 neurons in d = 5, std 1e-10": lambda: generic(llr.TwoLayerTanhMLP(5, width=3), 1e-10),
    "20 neurons in d = 1": lambda: generic(llr.TwoLayerTanhMLP(1, width=20)),
    "encoder layer": lambda: torch.manual_seed(0) and Encoder().double(),
    "20 neurons split into 230, d = 20": split,
    "91 neurons in d = 20, full rank": lambda: generic(llr.TwoLayerTanhMLP(20, width=91), 0.3),
    "MLP 20-60-40-1, full rank": lambda: generic(llr.MLP(20, widths=[60, 40]), 0.3),
    "ReLU 5-8-8-1": lambda: generic(llr.MLP(5, widths=[8, 8], activation="relu", output_bias=True)),
    "ReLU 10-40-40-1, 60 seconds": lambda: generic(
        llr.MLP(10, widths=[40, 40], activation="relu", output_bias=True)
    ),
}


def measured(name: str) -> dict[str, object]:
    """A case."""
    model = CASES[name]()
    limit = 60.0 if "60 seconds" in name else None
    started = time.process_time()
    result = llr.certify_rank(model, max_seconds=limit)
    seconds = time.process_time() - started
    shape = tuple(model.input_shape)  # type: ignore[arg-type]
    x = torch.randn(result.n_params + 8, *shape, generator=generator(0, "probe", "peer")).double()
    J = llr.tangent_matrix(model, x)
    return {
        "n_params": result.n_params,
        "lower": result.lower,
        "upper": result.upper,
        "lower_by": result.lower_by,
        "bits": result.precision,
        "upper_by": result.upper_by,
        "upper_chance": result.upper_chance,
        "seconds": round(seconds, 2),
        "float64": int(torch.linalg.matrix_rank(J)),
    }


def markdown(contents: dict) -> str:
    """A row per case."""
    environment = contents["environment"]
    lines = [
        f"One core ({environment['platform']}; torch {environment['versions']['torch']}); "
        "processor seconds of a whole call.",
        "",
        "| | parameters | rank, proved | by | seconds | float64 says |",
        "| --- | ---: | ---: | --- | ---: | ---: |",
    ]
    for name, row in contents["results"].items():
        proved = row["lower"] == row["upper"]
        rank = f"{row['lower']:,}" if proved else f"{row['lower']:,} to {row['upper']:,}"
        bits = f", {row['bits']} bits" if row["lower_by"] == "balls" else ""
        lines.append(
            f"| {name} | {row['n_params']:,} | {rank} | {row['lower_by']}{bits}; {row['upper_by']} "
            f"| {row['seconds']} | {row['float64']:,} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smallest case, nothing written")
    options = parser.parse_args()
    torch.set_num_threads(1)
    llr.certify_rank(llr.PaperTeacherMLP())  # imports the tracer
    results = {}
    for name in list(CASES)[: 1 if options.quick else None]:
        results[name] = measured(name)
        print(name, results[name], flush=True)
    if not options.quick:
        contents = {"environment": describe_environment(), "results": results}
        (HERE / "results.json").write_text(json.dumps(contents, indent=1) + "\n")
        (HERE / "table.md").write_text(markdown(contents))


if __name__ == "__main__":
    main()
