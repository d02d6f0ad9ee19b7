"""How often ``llr.condense`` finds the width and rank of the target of trained networks.

``python tools/condense_table.py [--seeds 5] [--out FILE]`` trains networks of three architectures
and two depths, with two activations, below and above the number of samples from which training
recovers, condenses each, and prints one row per setting: how often the width and the rank of the
target came out, something else, or no edge. Five seeds make 200 networks.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

import llr

THRESHOLD = 1e-3  # of the test error: the run has recovered its target


@dataclass(frozen=True)
class Setting:
    """One row of the table."""

    name: str
    width: int
    samples: int
    narrow: tuple[int, ...]
    size: int
    target: Callable[[], nn.Module]
    model: Callable[[int], nn.Module]


def one_hidden(activation: str) -> nn.Module:
    """Three units on R^5, the papers' weights, any activation."""
    target = llr.TwoLayerMLP(5, width=3, activation=activation)
    target.load_state_dict(llr.PaperTeacherMLP(hidden_bias=True).state_dict())
    return target


def two_hidden() -> nn.Module:
    """A target with two hidden layers of two units."""
    target = llr.MLP(5, widths=[2, 2])
    source = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for value in target.parameters():
            value.copy_(torch.randn(value.shape, generator=source, dtype=value.dtype))
    return target


def settings() -> Iterator[Setting]:
    """Forty of them."""
    for activation in ("tanh", "sigmoid"):
        for kernels, samples in ((1, 6), (1, 40), (10, 6), (10, 40), (34, 6), (34, 60)):
            yield Setting(
                f"shared {activation}", kernels, samples, (1,), 7,
                lambda a=activation: one_hidden(a),
                lambda k, a=activation: llr.SharedConv1D(5, width=k, kernel_size=3, activation=a),
            )  # fmt: skip
        for kernels, samples in ((1, 12), (1, 50), (10, 12), (10, 50), (34, 12), (34, 60)):
            yield Setting(
                f"unshared {activation}", kernels, samples, (1,), 15,
                lambda a=activation: one_hidden(a),
                lambda k, a=activation: llr.NoShareConv1D(5, width=k, kernel_size=3, activation=a),
            )  # fmt: skip
        for width, samples in ((3, 18), (3, 60), (30, 18), (30, 60), (100, 18), (100, 90)):
            yield Setting(
                f"fully connected {activation}", width, samples, (3,), 21,
                lambda a=activation: one_hidden(a),
                lambda m, a=activation: llr.TwoLayerMLP(5, width=m, activation=a),
            )  # fmt: skip
    for width, samples in ((3, 18), (3, 100), (10, 18), (10, 100)):
        yield Setting(
            "two hidden layers", width, samples, (2, 2), 20, two_hidden,
            lambda m: llr.MLP(5, widths=[m, m]),
        )  # fmt: skip


def judge(setting: Setting, seed: int) -> tuple[str, bool]:
    """The outcome of one network, and whether it has recovered its target."""
    target, model = setting.target(), setting.model(setting.width)
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(setting.samples + 1000, 5, generator=source, dtype=torch.float64)
    with torch.no_grad():
        y = target(x)
    if not isinstance(model, llr.MLP) and model.activation == "tanh":
        llr.initialize(model, std=1e-10, generator=source)
    n = setting.samples
    flow = llr.GradientFlow()
    run = llr.train(model, x[:n], y[:n], optimizer=flow, x_test=x[n:], y_test=y[n:])
    model.load_state_dict(run.params)
    found = llr.condense(model)
    recovered = run.test_mse is not None and run.test_mse < THRESHOLD
    if found.verdict == "none":
        return "no edge", recovered
    right = found.widths == setting.narrow and found.rank == setting.size
    return ("right" if right else "wrong") + f" ({found.verdict})", recovered


def main() -> int:
    """Print the table as it is made, and store it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    rows = []
    for setting in settings():
        begun = time.perf_counter()
        outcomes = [judge(setting, seed) for seed in range(chosen.seeds)]
        counts = Counter(outcome for outcome, _ in outcomes)
        row = {
            "network": setting.name,
            "width": setting.width,
            "samples": setting.samples,
            "recovered": sum(recovered for _, recovered in outcomes),
            **counts,
            "seconds": round(time.perf_counter() - begun, 1),
        }
        print(json.dumps(row), flush=True)
        rows.append(row)
    if chosen.out:
        chosen.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
