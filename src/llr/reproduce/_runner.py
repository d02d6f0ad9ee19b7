"""From a name to figures, data and a verdict: ordinary sweeps, then a judgement."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llr._yaml import write_yaml
from llr.errors import check_choice
from llr.reproduce._settings import Plan, Reproduction, load_reproduction, plan_sweeps
from llr.reproduce._verdict import Verdict

if TYPE_CHECKING:
    from llr.config import Config
    from llr.reproduce._outcome import Finished, Outcome

__all__ = ["NAMES", "Job", "Reproduced", "list_reproductions", "reproduce"]

_JUDGES = {
    "local-recovery": "_local_recovery:judge",
    "saddle-escape": "_saddle_escape:judge",
    "jmlr-fig3": "_architectures:judge_jmlr_fig3",
    "jmlr-fig4": "_dropout:judge",
    "jmlr-table1": "_tables:judge_deep_networks",
    "jmlr-table2": "_tables:judge_widths",
    "jmlr-table3": "_tables:judge_convolutions",
    "optimistic-fig1": "_toys_and_matrices:judge_toys",
    "optimistic-fig2": "_toys_and_matrices:judge_matrices",
    "optimistic-fig3": "_toys_and_matrices:judge_initial_sizes",
    "optimistic-fig4": "_architectures:judge_optimistic_fig4",
}
"""Who turns the finished sweeps of a reproduction into figures and a verdict."""

NAMES: tuple[str, ...] = tuple(_JUDGES)


@dataclass(frozen=True)
class Reproduced:
    """A reproduction that was run and judged.

    Attributes:
        name: of the reproduction.
        verdict: what came out, beside what was expected.
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


def list_reproductions() -> dict[str, str]:
    """What can be reproduced: titles by name.

    Example:
        >>> list_reproductions()["jmlr-table2"]
        "Optimistic sample size of the two-layer tanh network against the target's width"
    """
    return {name: load_reproduction(name).title for name in NAMES}


@dataclass(frozen=True)
class Job:
    """A reproduction at one size by one optimizer: which sweeps it needs, and where all of it goes.

    Attributes:
        name: of the reproduction.
        quick: whether it is the small size.
        optimizer: one of the reproduction's optimizers; None: its first.
        output: folder of all reproductions; small sizes and other optimizers have folders of
            their own in it, ``<name>-quick`` and so on.
        overrides: config values by dotted key, for every sweep, that win over the shipped ones.

    Raises:
        InvalidInputError: if there is no such reproduction or optimizer.

    Example:
        >>> job = Job("optimistic-fig1", quick=True)
        >>> job.folder.name, len(job.sweeps())
        ('optimistic-fig1-quick', 7)
    """

    name: str
    quick: bool = False
    optimizer: str | None = None
    output: str | Path = "outputs/reproduce"
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("NAME", self.name, NAMES)
        if self.optimizer is not None:
            check_choice("optimizer", self.optimizer, self.trained.optimizers)

    @property
    def settings(self) -> Reproduction:
        """The reproduction's YAML."""
        return load_reproduction(self.name)

    @property
    def trained(self) -> Reproduction:
        """The reproduction whose sweeps are run: this one, or the one that it borrows from."""
        return load_reproduction(self.settings.sweeps_of or self.name)

    @property
    def folder(self) -> Path:
        """Where verdict, figures and data go."""
        return self._folder(self.name)

    def _folder(self, name: str) -> Path:
        """Folder of a reproduction at this size by this optimizer."""
        first = next(iter(self.trained.optimizers), None)
        other = self.optimizer if self.optimizer != first else None
        return Path(self.output) / "-".join(filter(None, (name, other, "quick" * self.quick)))

    def sweeps(self) -> list[tuple[Plan, Config]]:
        """The sweeps as configs, a plan each; nothing is written or trained.

        Returns:
            Plans and configs; none where nothing is trained.

        Raises:
            ConfigError: if an override is wrong.
        """
        from llr.config import parse_config

        folder = self._folder(self.settings.sweeps_of or self.name)
        plans = plan_sweeps(
            self.trained, optimizer=self.optimizer, quick=self.quick, overrides=self.overrides
        )
        source = f"configs/{self.settings.sweeps_of or self.name}.yaml"
        return [
            (plan, parse_config(self.trained.sweep, _placed(plan, folder), source=source))
            for plan in plans
        ]

    def write_weights(self) -> None:
        """Write the target weights that the YAML holds where the sweeps read them."""
        folder = self._folder(self.settings.sweeps_of or self.name)
        for name, tensors in self.trained.weights.items():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(write_yaml(tensors), encoding="utf-8")


def _placed(plan: Plan, folder: Path) -> dict[str, Any]:
    """A plan's overrides with its folder, and its weights file in the folder above."""
    overrides = {
        **plan.overrides,
        "experiment.name": plan.folder,
        "output.dir": folder.as_posix(),
    }
    if weights := overrides.get("data.target_path"):
        overrides["data.target_path"] = (folder / weights).as_posix()
    return overrides


def reproduce(
    name: str,
    *,
    quick: bool = False,
    optimizer: str | None = None,
    output: str | Path = "outputs/reproduce",
    overrides: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> Reproduced:
    """Make one of the papers' results again: train what is missing, draw, compare.

    Every sweep is an ordinary one below ``output / name``; called again, only what is missing is
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
        InvalidInputError: if there is no such reproduction or optimizer.
        ConfigError: if an override is wrong.
        StoreError: if a folder holds another sweep.

    Example:
        >>> import tempfile
        >>> reproduce("jmlr-table2", quick=True, output=tempfile.mkdtemp()).verdict.word
        'agrees'
    """
    job = Job(name, quick=quick, optimizer=optimizer, output=output, overrides=overrides or {})
    finished = _finish(job, progress)
    module, _, function = _JUDGES[name].partition(":")
    judge = getattr(importlib.import_module(f"llr.reproduce.{module}"), function)
    outcome: Outcome = judge(finished)
    files = _write(outcome, job.folder)
    return Reproduced(name, outcome.verdict, finished.size, job.folder, files)


def _finish(job: Job, progress: bool | None) -> Finished:
    """Run every sweep to its end and gather the runs."""
    import pandas as pd

    from llr.reproduce._outcome import Finished
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
        table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
        files["data"].append(path)
    path = folder / "verdict.json"
    path.write_text(outcome.verdict.to_json() + "\n", encoding="utf-8")
    files["verdict"].append(path)
    return files
