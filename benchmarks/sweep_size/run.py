"""Large sweeps of very short runs: overhead a run, memory of the driver, time to read and draw.

    python benchmarks/sweep_size/run.py            # 10^3, 10^4, 10^5 runs: minutes on 2 cores
    python benchmarks/sweep_size/run.py 1000       # other sizes; nothing is written
    python benchmarks/sweep_size/run.py --quick    # 100 runs; nothing is written

Every stage is a process of its own, so that its peak memory (maximum resident set, Python and torch
included) is its own. A run is 20 steps of gradient descent on a network of three hidden units.

sweep     ``run_sweep`` with two worker processes, from an empty folder to results.json
again     the same call once more, which finds nothing left to do
store     opening the store, which reads every line
load      ``load_results``, which reads results.json
plot      all figures, as PNG and SVG
report    the HTML page
export    Parquet

The overhead of a run is all time on the clock that the two workers did not spend in the engine:
(wall - engine seconds / 2) / runs. ``ingest`` is what the driver alone does for a run: store its
record and history, in batches of 256, synced.
"""

from __future__ import annotations

import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llr.config import Config, parse_config
from llr.sweep import (
    FinishedRun,
    JsonLinesStore,
    describe_environment,
    export_results,
    load_results,
    run_sweep,
)

HERE = Path(__file__).parent
SIZES = (1_000, 10_000, 100_000)
WORKERS = 2
MEGABYTE = 1e6
INGESTED = 50 * 256
GOALS = {"overhead_ms": 1.0, "sweep_megabytes": 500.0, "store_s": 10.0, "load_s": 10.0}


def config(n_runs: int, outputs: str) -> Config:
    return parse_config(
        {
            "experiment": {"name": "many"},
            "data": {"test_size": 10},
            "model": {"scale": 1},
            "training": {"max_steps": 20, "tol": 0.0},
            "sweep": {
                "enabled": True,
                "models": ["mlp", "cnn_shared"],
                "sample_sizes": [4, 6, 8, 10, 12],
                "seeds": n_runs // 10,
            },
            "output": {"dir": outputs},
            "execution": {"executor": "processes", "workers": WORKERS, "threads": 1},
        }
    )


def sweep(n_runs: int, outputs: str) -> dict[str, float]:
    started = time.perf_counter()
    result = run_sweep(config(n_runs, outputs), progress=False)
    wall = time.perf_counter() - started
    assert (result.n_runs, result.n_trained) == (n_runs, n_runs)
    return {"s": wall}


def again(n_runs: int, outputs: str) -> dict[str, float]:
    started = time.perf_counter()
    assert run_sweep(config(n_runs, outputs), progress=False).n_trained == 0
    return {"s": time.perf_counter() - started}


def store(n_runs: int, outputs: str) -> dict[str, float]:
    started = time.perf_counter()
    opened = JsonLinesStore(Path(outputs) / "many")
    seconds = time.perf_counter() - started
    assert len(opened.entries) == n_runs
    return {"s": seconds}


def load(n_runs: int, outputs: str) -> dict[str, float]:
    import pandas as pd  # noqa: F401 - importing it is not loading results

    started = time.perf_counter()
    table = load_results(Path(outputs) / "many")
    seconds = time.perf_counter() - started
    assert len(table) == n_runs
    return {"s": seconds, "engine_s": float(table["seconds"].sum())}


def plot(n_runs: int, outputs: str) -> dict[str, float]:
    from llr.report import draw_all

    started = time.perf_counter()
    assert draw_all(Path(outputs) / "many")
    return {"s": time.perf_counter() - started}


def report(n_runs: int, outputs: str) -> dict[str, float]:
    from llr.report import write_report

    started = time.perf_counter()
    page = write_report(Path(outputs) / "many")
    return {"s": time.perf_counter() - started, "page_megabytes": size_of(page)}


def export(n_runs: int, outputs: str) -> dict[str, float]:
    import pyarrow  # noqa: F401

    started = time.perf_counter()
    file = export_results(Path(outputs) / "many")
    return {"s": time.perf_counter() - started, "file_megabytes": size_of(file)}


def ingest(n_runs: int, outputs: str) -> dict[str, float]:
    """Store copies of one batch's runs under new ids, as they arrive from a worker."""
    stored = JsonLinesStore(Path(outputs) / "many")
    ids = list(stored.entries)[:256]
    histories = stored.histories(ids)
    batch = [FinishedRun(record, histories[record["id"]]) for record in stored.records(ids)]
    message = pickle.dumps(batch)
    copy = JsonLinesStore(Path(outputs) / "copy")
    started = time.perf_counter()
    for number in range(INGESTED // 256):
        arrived = pickle.loads(message)
        copy.append(
            [
                FinishedRun({**run.record, "id": f"{number}x{i}"}, run.history)
                for i, run in enumerate(arrived)
            ]
        )
    seconds = time.perf_counter() - started
    return {"s": seconds, "us_a_run": 1e6 * seconds / INGESTED, "message_bytes": len(message)}


STAGES: dict[str, Callable[[int, str], dict[str, float]]] = {
    stage.__name__: stage for stage in (sweep, again, store, load, plot, report, export, ingest)
}


def size_of(path: Path) -> float:
    return path.stat().st_size / MEGABYTE


def in_a_process(stage: str, n_runs: int, outputs: str) -> dict[str, float]:
    """One stage's figures, and its peak memory."""
    done = subprocess.run(
        [sys.executable, __file__, "--stage", stage, str(n_runs), outputs],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure(n_runs: int) -> dict[str, Any]:
    """Every stage of one size, flat."""
    row: dict[str, Any] = {"runs": n_runs}
    with tempfile.TemporaryDirectory() as outputs:
        for stage in STAGES:
            figures = in_a_process(stage, n_runs, outputs)
            row |= {f"{stage}_{name}": value for name, value in figures.items()}
        folder = Path(outputs) / "many"
        row["folder_megabytes"] = sum(map(size_of, folder.rglob("*.json*")))
    engine = row.pop("load_engine_s")
    row["engine_ms"] = 1e3 * engine / n_runs
    row["overhead_ms"] = 1e3 * (row["sweep_s"] - engine / WORKERS) / n_runs
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    shown = {
        "runs": ("runs", "{:,}"),
        "sweep_s": ("sweep, s", "{:.1f}"),
        "overhead_ms": ("overhead a run, ms", "{:.2f}"),
        "sweep_megabytes": ("driver's peak memory, MB", "{:.0f}"),
        "again_s": ("same call again, s", "{:.1f}"),
        "store_s": ("open the store, s", "{:.2f}"),
        "load_s": ("load results, s", "{:.2f}"),
        "plot_s": ("plot, s", "{:.1f}"),
        "report_s": ("report, s", "{:.1f}"),
        "report_page_megabytes": ("report, MB", "{:.1f}"),
        "export_s": ("export, s", "{:.2f}"),
        "ingest_us_a_run": ("driver's work a run, us", "{:.0f}"),
    }
    lines = [
        [title, *(form.format(row[name]) for row in rows)] for name, (title, form) in shown.items()
    ]
    lines.insert(1, ["---", *("--:" for _ in rows)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Growth of overhead, memory and loading with the number of runs."""
    from llr.report import figure_of, style

    panels = [
        ("Overhead a run (ms)", {"overhead_ms": "beyond the engine"}, 1.0),
        ("Peak memory (MB)", {"sweep_megabytes": "driver of the sweep"}, 500.0),
        (
            "Time to open (s)",
            {"store_s": "store", "load_s": "results", "plot_s": "figures", "report_s": "report"},
            10.0,
        ),
    ]
    runs = [row["runs"] for row in rows]
    with style():
        figure = figure_of(None, 9.0, 3.0)
        for axes, (title, curves, goal) in zip(figure.subplots(1, 3), panels, strict=True):
            for name, label in curves.items():
                axes.plot(runs, [row[name] for row in rows], marker="o", label=label)
            axes.axhline(goal, color="0.5", linestyle="--", label="goal")
            axes.set(title=title, xlabel="Runs", xscale="log", ylim=(0, None))
            axes.legend(frameon=False, fontsize=7)
        figure.savefig(path)


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--stage"]:
        stage, n_runs, outputs = arguments[1], int(arguments[2]), arguments[3]
        figures = STAGES[stage](n_runs, outputs)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE
        print(json.dumps({**figures, "megabytes": peak}))
        return 0
    sizes = (100,) if arguments == ["--quick"] else tuple(map(int, arguments)) or SIZES
    rows = []
    for n_runs in sizes:
        rows.append(measure(n_runs))
        print(json.dumps(rows[-1]), flush=True)
    print(table(rows))
    missed = {name: goal for name, goal in GOALS.items() if rows[-1][name] >= goal}
    print(f"goals missed at {sizes[-1]:,} runs: {missed or 'none'}")
    if sizes == SIZES:
        results = {"environment": describe_environment(), "goals": GOALS, "sizes": rows}
        (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
        (HERE / "table.md").write_text(table(rows))
        draw(rows, HERE.parents[1] / "docs" / "_static" / "sweep_size.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
