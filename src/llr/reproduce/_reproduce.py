"""From a name to figures, data and a verdict: ordinary sweeps, then a judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llr._files import write_whole
from llr.reproduce._job import Job
from llr.reproduce._judges import judge_of
from llr.reproduce._verdict import Verdict

if TYPE_CHECKING:
    from llr.reproduce._judgement import Finished, Outcome

__all__ = ["Reproduced", "reproduce"]


@dataclass(frozen=True)
class Reproduced:
    """A reproduction that was run and judged.

    Attributes:
        name: of the reproduction.
        verdict: the measured numbers beside the expected ones.
        size: what was trained, how it ended and how long it took, in a sentence.
        folder: where verdict, figures and data are.
        files: those files, by what they are: ``verdict``, ``figures``, ``data``.
    """

    name: str
    verdict: Verdict
    size: str
    folder: Path
    files: dict[str, list[Path]] = field(repr=False)

    def summary(self) -> dict[str, Any]:
        """One flat row."""
        return {**self.verdict.summary(), "size": self.size, "folder": str(self.folder)}

    def to_json(self) -> str:
        """The verdict as JSON."""
        return self.verdict.to_json()


def reproduce(
    name: str,
    *,
    quick: bool = False,
    optimizer: str | None = None,
    output: str | Path = "outputs/reproduce",
    overrides: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> Reproduced:
    """Reproduce one of the papers' results: train the missing runs, draw, compare.

    Every sweep is an ordinary one below ``output / name``; called again, only missing runs are
    trained. Figures (PNG and SVG), the data that they show (CSV) and the verdict (JSON) are
    written beside the sweeps.

    Args:
        name: one of :func:`list_reproductions`.
        quick: the small size, which takes less than a minute.
        optimizer: one of the reproduction's optimizers; None: its first.
        output: folder of all reproductions, see :class:`Job`.
        overrides: config values by dotted key, for every sweep, that win over the shipped ones.
        progress: whether to draw progress bars; None: if standard error is a terminal.

    Returns:
        The verdict, and where everything is.

    Raises:
        InvalidInputError: if the reproduction or optimizer does not exist.
        ConfigError: if an override is wrong.
        StoreError: if a folder holds another sweep.

    Example:
        >>> import tempfile
        >>> reproduce("jmlr-table2", quick=True, output=tempfile.mkdtemp()).verdict.word
        'agrees'
    """
    job = Job(name, quick=quick, optimizer=optimizer, output=output, overrides=overrides or {})
    finished = _finish(job, progress)
    outcome = judge_of(name)(finished)
    files = _write(outcome, job.folder)
    return Reproduced(name, outcome.verdict, finished.size, job.folder, files)


def _finish(job: Job, progress: bool | None) -> Finished:
    """Run every sweep to its end and gather the runs."""
    import pandas as pd

    from llr.reproduce._judgement import Finished
    from llr.sweep import run_sweep

    sweeps = job.sweeps()
    job.write_weights()
    tables = []
    for plan, config in sweeps:
        if not config.sweep.enabled:  # a single run, which its judge follows along the way
            continue
        runs = run_sweep(config, progress=progress).runs
        tables.append(runs.assign(variant=plan.variant, **plan.tuned_columns))
    return Finished(
        name=job.name,
        settings=job.settings,
        optimizer=job.optimizer or next(iter(job.trained.optimizers), ""),
        quick=job.quick,
        runs=pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(),
        sweeps=sweeps,
    )


def _write(outcome: Outcome, folder: Path) -> dict[str, list[Path]]:
    """Write figures, data and verdict into a folder."""
    from llr.report import save_figure

    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, list[Path]] = {"figures": [], "data": [], "verdict": []}
    for name, figure in outcome.figures.items():
        files["figures"] += save_figure(figure, folder / name)
    for name, table in outcome.data.items():
        path = folder / f"{name}.csv"
        write_whole(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        files["data"].append(path)
    path = folder / "verdict.json"
    write_whole(path, outcome.verdict.to_json() + "\n")
    files["verdict"].append(path)
    return files
