"""The benchmark's results as Markdown tables, for the documentation."""

from __future__ import annotations

import math


def markdown(results: dict) -> str:
    """Tables of the results, and where they were measured."""
    environment = results["environment"]
    versions = environment["versions"]
    best = results["headline"]
    lines = [
        f"Measured on {environment['cpus']} cores ({environment['platform']}; torch "
        f"{versions['torch']}, numba {versions['numba']}, jax {versions['jax']}).",
        "",
        "Fully connected, n = 20, width 50:",
        "",
        "| | run-steps/s | compiled engine against it |",
        "| --- | ---: | ---: |",
        *(
            f"| {name} | {rate:,.0f} | {best['compiled engine'] / rate:.1f} x |"
            for name, rate in best.items()
        ),
        "",
        "Run-steps per second of the compiled engine, and in brackets how many times JAX's:",
        "",
    ]
    widths = sorted({row["width"] for row in results["grid"]})
    lines += [
        "| | n | " + " | ".join(f"width {width}" for width in widths) + " |",
        "| --- | ---: |" + " ---: |" * len(widths),
    ]
    cells = {(row["arch"], row["n"], row["width"]): row for row in results["grid"]}
    for arch, n in dict.fromkeys((row["arch"], row["n"]) for row in results["grid"]):
        row = [cells[arch, n, width] for width in widths]
        figures = " | ".join(f"{cell['compiled']:,.0f} ({cell['ratio']:.1f} x)" for cell in row)
        lines.append(f"| `{arch}` | {n} | {figures} |")
    lines += [
        "",
        f"The sweep of `config.yaml`, 90 runs of up to 20,000 steps, store and summary included: "
        f"{results['sweep_seconds']:.1f} s after warm-up.",
        "",
        "What it takes to fit the papers' target (fully connected, width 30, n = 40, initial "
        "deviation 1e-10; medians over six seeds; steps, for the flow its time):",
        "",
        "| | until 1e-4 | 1e-6 | 1e-8 | seconds a run | steps | train MSE | test MSE |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in results["accuracy"].items():
        until = [
            f"{value:,.0f}" if math.isfinite(value) else "not reached"
            for value in row["until"].values()
        ]
        lines.append(
            f"| {name} | {' | '.join(until)} | {row['seconds']:.2f} | {row['steps']:,.0f} | "
            f"{row['train_mse']:.0e} | {row['test_mse']:.0e} |"
        )
    return "\n".join(lines) + "\n"
