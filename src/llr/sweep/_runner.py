"""Grid, minus what is stored, in chunks, to the executor, to the store, to the results."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from llr.errors import InvalidInputError
from llr.sweep._chunks import Chunk, partition, pending
from llr.sweep._config import Config
from llr.sweep._device import check_device
from llr.sweep._environment import describe_environment
from llr.sweep._executor import AbstractExecutor, Failure
from llr.sweep._executors import make_executor
from llr.sweep._files import copy_aside, disk_errors
from llr.sweep._folder import (
    RESULTS_FILE,
    check_same_sweep,
    claim,
    fresh_folder,
    locked,
    sweep_folder,
)
from llr.sweep._grid import grid
from llr.sweep._json_lines import JsonLinesStore
from llr.sweep._optimistic import optimistic_sample_sizes
from llr.sweep._outcome import FailedRun, SweepInterrupted, SweepPlan, SweepResult
from llr.sweep._progress import Progress, progress_bar
from llr.sweep._results import write_results
from llr.sweep._spec import RunSpec
from llr.sweep._store import AbstractStore
from llr.sweep._task import TrainChunk, error_record

__all__ = ["plan_sweep", "run_sweep"]

ERRORS_FILE = "errors.log"


@dataclass(frozen=True)
class _Work:
    """A sweep, ready to run."""

    config: Config
    folder: Path
    specs: Sequence[RunSpec]
    store: AbstractStore
    chunks: Sequence[Chunk]
    executor: AbstractExecutor

    @property
    def n_pending(self) -> int:
        """Runs to train."""
        return sum(len(chunk.wanted) for chunk in self.chunks)

    @property
    def seconds(self) -> float:
        """Estimate of the time."""
        work = sum(chunk.seconds for chunk in self.chunks)
        longest = max((chunk.seconds for chunk in self.chunks), default=0.0)
        return max(longest, work / self.executor.workers)


def _prepare(config: Config, folder: Path) -> _Work:
    """Read the store and find what is left to do; nothing is written."""
    check_same_sweep(folder, config)
    specs = grid(config)
    store = JsonLinesStore(folder)
    execution = config.execution
    chunks = partition(specs, batch_size=execution.batch_size, engine=execution.engine)
    executor = make_executor(
        execution,
        device=config.experiment.device,
        n_chunks=len(chunks),
        seconds=sum(chunk.seconds for chunk in chunks),
    )
    return _Work(config, folder, specs, store, pending(chunks, store.entries), executor)


def _check(config: object) -> None:
    """Refuse what is not a config, such as the path of one."""
    if not isinstance(config, Config):
        how = (
            "llr.sweep.parse_config(values) makes one"
            if isinstance(config, Mapping)
            else "llr.load_config(path) reads one"
        )
        raise InvalidInputError(f"config must be a Config, got {type(config).__name__}; {how}.")


def plan_sweep(config: Config, *, force: bool = False) -> SweepPlan:
    """What :func:`run_sweep` would do; nothing is written.

    Args:
        config: of the sweep.
        force: as in :func:`run_sweep`.

    Returns:
        Sizes, and a rough upper estimate of the time.

    Raises:
        InvalidInputError: if ``config`` is no :class:`Config`, but for example a path.
        StoreError: if the folder holds another sweep.

    Example:
        >>> from llr.sweep import parse_config
        >>> config = parse_config({"sweep": {"enabled": True, "sample_sizes": [5, 10], "seeds": 3}})
        >>> plan_sweep(config, force=True).n_runs
        18
    """
    _check(config)
    folder = sweep_folder(config)
    work = _prepare(config, fresh_folder(folder) if force else folder)
    axes = ("model", "scale", "width", "sample_size", "init_std", "seed")
    counts = {f"{axis}s": len({getattr(spec, axis) for spec in work.specs}) for axis in axes}
    counts.pop("scales" if config.model.scale is None else "widths")
    return SweepPlan(
        folder=work.folder,
        grid=counts,
        n_runs=len(work.specs),
        n_stored=len(work.specs) - work.n_pending,
        n_chunks=len(work.chunks),
        executor=work.executor.name,
        workers=work.executor.workers,
        seconds=work.seconds,
    )


def run_sweep(config: Config, *, force: bool = False, progress: bool | None = None) -> SweepResult:
    """Train every run of a config's grid that is not stored yet, and write the results.

    Runs are stored as they finish; however the sweep ends, the same call goes on from there, and
    the results are those of a sweep that was never stopped. A run that cannot be trained is
    reported, and again at the end; the others go on.

    Args:
        config: of the sweep; its folder is ``output.dir / experiment.name``.
        force: start over into a new folder, ``<name>-2`` and so on; nothing is deleted.
        progress: whether to draw a progress bar; None: if standard error is a terminal.

    Returns:
        Where the results are, and what was done.

    Raises:
        InvalidInputError: if ``config`` is no :class:`Config`, but for example a path.
        ConfigError: if the device is not there, or the name no plain folder name.
        StoreError: if the folder holds another sweep, another process writes to it, or the disk
            fails.
        SweepInterrupted: a ``KeyboardInterrupt`` that says how to go on.

    Example:
        >>> import tempfile
        >>> from llr.sweep import parse_config
        >>> config = parse_config({
        ...     "training": {"max_steps": 10},
        ...     "sweep": {"enabled": True, "models": ["mlp"], "sample_sizes": [5, 10], "seeds": 2},
        ...     "output": {"dir": tempfile.mkdtemp()},
        ... })
        >>> result = run_sweep(config)
        >>> result.n_trained, run_sweep(config).n_trained
        (4, 0)
    """
    started = time.monotonic()
    _check(config)
    check_device(config)
    folder = sweep_folder(config)
    if force:
        folder = fresh_folder(folder)
        experiment = config.experiment.model_copy(update={"name": folder.name})
        config = config.model_copy(update={"experiment": experiment})
    check_same_sweep(folder, config)
    grid(config)  # a config without a grid leaves no folder behind
    with locked(folder):
        work = _prepare(config, folder)
        claim(folder, config)
        with (
            closing(work.store),
            progress_bar(
                n_runs=len(work.specs),
                n_done=len(work.specs) - work.n_pending,
                seconds=sum(chunk.seconds for chunk in work.chunks),
                show=progress,
            ) as shown,
        ):
            for damage in work.store.damage:
                shown.say(f"{damage}. The rest is kept; this run counts as missing.")
            try:
                failures = _train(work, shown)
                statuses = _write(work)
                copy_aside(folder / RESULTS_FILE, folder.parent / RESULTS_FILE)
            except KeyboardInterrupt:
                raise _interrupted(work, force=force) from None
        return SweepResult(
            folder=folder,
            n_runs=len(work.specs),
            n_trained=work.n_pending - len(failures),
            failures=tuple(failures),
            damage=tuple(str(damage) for damage in work.store.damage),
            seconds=time.monotonic() - started,
            statuses=statuses,
        )


def _train(work: _Work, shown: Progress) -> list[FailedRun]:
    """Train all chunks, store what comes; the runs of a chunk that failed are tried alone."""
    config = work.config
    task = TrainChunk(
        engine=config.execution.engine,
        device=config.experiment.device,
        threads=work.executor.threads,
        keep_parameters=config.output.save_parameters,
    )
    failures: list[FailedRun] = []
    alone: list[Chunk] = []
    told: set[str] = set()
    for chunks in (work.chunks, alone):
        with closing(work.executor.map(task, chunks)) as outcomes:
            for outcome in outcomes:
                chunk = outcome.item
                if outcome.value is not None:
                    work.store.append(outcome.value)
                    shown.advance(runs=len(chunk.wanted), seconds=chunk.seconds)
                    continue
                failure = outcome.failure or Failure("No reason was given.")
                single = len(chunk.specs) == 1
                if failure.message not in told:
                    told.add(failure.message)
                    _report(work.folder, shown, chunk, failure)
                if single:
                    work.store.append([error_record(chunk, failure.message)])
                    failures.append(FailedRun(chunk.specs[0].id, failure.message))
                    shown.advance(runs=1, seconds=chunk.seconds)
                else:
                    alone.extend(chunk.singly())
    return failures


def _interrupted(work: _Work, *, force: bool) -> SweepInterrupted:
    """Write the results so far; say how to go on."""
    with closing(JsonLinesStore(work.folder)) as store:  # Ctrl-C may have come in mid-append
        statuses = _write(replace(work, store=store))
    done = statuses.total() - statuses["error"]
    how = f", with experiment.name={work.folder.name} instead of --force" if force else ""
    return SweepInterrupted(
        f"Stopped: {done} of {len(work.specs)} runs are finished and kept in {work.folder}. "
        f"The same command goes on from there{how}."
    )


def _report(folder: Path, shown: Progress, chunk: Chunk, failure: Failure) -> None:
    """Say what failed at once, once a reason; the traceback goes to a file."""
    n = len(chunk.specs)
    what = f"Run {chunk.specs[0].id} failed" if n == 1 else f"A batch of {n} runs failed"
    then = "" if n == 1 else " Its runs will be tried one by one."
    shown.say(f"{what}: {failure.message}{then}")
    if failure.details:
        path = folder / ERRORS_FILE
        with disk_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(f"{what}:\n{failure.details}\n")


def _write(work: _Work) -> Counter[str]:
    """Write the results of all runs that are stored; how many have each status."""
    entries = work.store.entries
    stored = [spec.id for spec in work.specs if spec.id in entries]
    return write_results(
        work.folder,
        store=work.store,
        ids=stored,
        header={
            "name": work.config.experiment.name,
            "n_runs": len(work.specs),
            "n_finished": sum(not entries[run_id].failed for run_id in stored),
            "config": work.config.to_dict(),
            "environment": _environment(work),
        },
        optimistic=optimistic_sample_sizes(work.specs),
    )


def _environment(work: _Work) -> dict[str, Any]:
    """Where and how the sweep ran."""
    experiment = work.config.experiment
    device = torch.device(experiment.device)
    is_gpu = device.type == "cuda" and work.config.execution.address is None
    return {
        **describe_environment(),
        "device": torch.cuda.get_device_name(device) if is_gpu else experiment.device,
        "dtype": "float64",
        "seed": experiment.seed,
        "executor": work.executor.name,
        "workers": work.executor.workers,
        "threads": work.executor.threads or torch.get_num_threads(),
    }
