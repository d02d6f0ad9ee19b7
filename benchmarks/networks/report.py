"""The benchmark's results as a Markdown table, for the documentation."""

from __future__ import annotations

from statistics import median

__all__ = ["markdown"]

RATES = ("plain loop", "jax", "torch engine", "compiled engine")


def markdown(results: dict) -> str:
    """A table of the results, and where they were measured."""
    environment, rows = results["environment"], results["grid"]
    versions = environment["versions"]
    against = [row["against jax"] for row in rows]
    lines = [
        f"Measured on {environment['cpus']} cores ({environment['platform']}; torch "
        f"{versions['torch']}, numba {versions['numba']}, jax {versions['jax']}), in run-steps per "
        "second, 64 runs at once; the plain loop trains one.",
        "",
        "| | network | n | " + " | ".join(RATES) + " | compiled engine / JAX |",
        "| --- | --- | ---: |" + " ---: |" * (len(RATES) + 1),
    ]
    for row in rows:
        figures = " | ".join(f"{row[name]:,.0f}" for name in RATES)
        lines.append(
            f"| {row['activation']} | {row['architecture']} | {row['n']} | {figures} | "
            f"{row['against jax']:.1f} x |"
        )
    lines += ["", f"Against JAX: median {median(against):.1f} x, least {min(against):.1f} x."]
    return "\n".join(lines) + "\n"
