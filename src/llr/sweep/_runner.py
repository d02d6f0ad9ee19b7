"""Grid, minus what is stored, in chunks, to the executor, to the store, to the results."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from llr._files import appended, copy_aside
from llr.config import Config, completed
from llr.errors import InvalidInputError, kind_of
from llr.executors import AbstractExecutor, Failure
from llr.sweep._choose_executor import EXECUTORS, make_executor
from llr.sweep._chunks import Chunk, partition, pending
from llr.sweep._device import check_device
from llr.sweep._environment import describe_environment
from llr.sweep._folder import (
    check_same_sweep,
    claimed,
    fresh_folder,
    sweep_folder,
)
from llr.sweep._grid import grid
from llr.sweep._json_lines import JsonLinesStore
from llr.sweep._optimistic import optimistic_sample_sizes
from llr.sweep._paths import SweepPaths
from llr.sweep._plan_and_result import FailedRun, SweepInterrupted, SweepPlan, SweepResult
from llr.sweep._progress import Progress, progress_bar
from llr.sweep._spec import RunSpec
from llr.sweep._store import AbstractStore
from llr.sweep._train_chunk import TrainChunk, error_record
from llr.sweep._write_results import write_results

__all__ = ["plan_sweep", "run_sweep"]

OpenStore: TypeAlias = Callable[[Path], AbstractStore]
"""Makes the store over a sweep's folder, whether new or left there by an earlier sweep."""


@dataclass(frozen=True)
class _Sweep:
    """A sweep as its config describes it, before anything is read from its folder."""

    config: Config
    folder: Path
    specs: Sequence[RunSpec]
    chunks: Sequence[Chunk]
    executor: AbstractExecutor
    open_store: OpenStore

    def opened(self) -> AbstractStore:
        """The store over the folder, as the caller's function makes it."""
        store = self.open_store(self.folder)
        if not isinstance(store, AbstractStore):
            raise InvalidInputError(
                "store must be a function that makes an AbstractStore from a folder, got "
                f"{self.open_store!r}, which made {kind_of(store)}."
            )
        return store


def _prepare(
    config: Config, *, force: bool, executor: AbstractExecutor | None, open_store: OpenStore
) -> _Sweep:
    """Check the arguments, make the grid and choose who trains it; nothing is read or written."""
    _check(config, executor, open_store)
    config = completed(config)
    folder = sweep_folder(config)
    if force:
        folder = fresh_folder(folder)
        experiment = config.experiment.model_copy(update={"name": folder.name})
        config = config.model_copy(update={"experiment": experiment})
    specs, execution = grid(config), config.execution
    chunks = partition(specs, batch_size=execution.batch_size, engine=execution.engine)
    if executor is None:
        executor = make_executor(
            execution,
            device=config.experiment.device,
            n_chunks=len(chunks),
            seconds=_seconds(chunks),
        )
    return _Sweep(config, folder, specs, chunks, executor, open_store)


def _seconds(chunks: Iterable[Chunk]) -> float:
    """Estimate of the work on one CPU."""
    return sum(chunk.seconds for chunk in chunks)


def _n_wanted(chunks: Iterable[Chunk]) -> int:
    """Runs to train."""
    return sum(len(chunk.wanted) for chunk in chunks)


def _check(config: object, executor: object, open_store: object) -> None:
    """Refuse arguments of the wrong kind, such as the path of a config or an executor's name."""
    if not isinstance(config, Config):
        how = (
            "llr.config.parse_config(values) makes one"
            if isinstance(config, Mapping)
            else "llr.load_config(path) reads one"
        )
        raise InvalidInputError(f"config must be a Config, got {type(config).__name__}; {how}.")
    if executor is not None and not isinstance(executor, AbstractExecutor):
        hint = f"; set execution.executor={executor} in the config" if executor in EXECUTORS else ""
        raise InvalidInputError(
            f"executor must be an AbstractExecutor or None, got {kind_of(executor)}{hint}."
        )
    if not callable(open_store):
        raise InvalidInputError(
            "store must be a function that makes an AbstractStore from a folder, such as the "
            f"class JsonLinesStore, got {kind_of(open_store)}."
        )


def plan_sweep(
    config: Config,
    *,
    force: bool = False,
    executor: AbstractExecutor | None = None,
    store: OpenStore = JsonLinesStore,
) -> SweepPlan:
    """What :func:`run_sweep` would do; nothing is written.

    Args:
        config: of the sweep.
        force: as in :func:`run_sweep`.
        executor: as in :func:`run_sweep`.
        store: as in :func:`run_sweep`.

    Returns:
        Sizes, and a rough upper estimate of the time.

    Raises:
        InvalidInputError: if an argument is of another type, for example the path of a config.
        StoreError: if the folder holds another sweep.

    Example:
        >>> from llr.config import parse_config
        >>> config = parse_config({"sweep": {"enabled": True, "sample_sizes": [5, 10], "seeds": 3}})
        >>> plan_sweep(config, force=True).n_runs
        18
    """
    sweep = _prepare(config, force=force, executor=executor, open_store=store)
    check_same_sweep(sweep.folder, sweep.config)
    with closing(sweep.opened()) as opened:
        left = pending(sweep.chunks, opened.entries)
    axes = ("model", "scale", "width", "sample_size", "init_std", "seed")
    counts = {f"{axis}s": len({getattr(spec, axis) for spec in sweep.specs}) for axis in axes}
    counts.pop("scales" if config.model.scale is None else "widths")
    longest = max((chunk.seconds for chunk in left), default=0.0)
    return SweepPlan(
        folder=sweep.folder,
        grid=counts,
        n_runs=len(sweep.specs),
        n_stored=len(sweep.specs) - _n_wanted(left),
        n_chunks=len(left),
        executor=sweep.executor.name,
        workers=sweep.executor.workers,
        seconds=max(longest, _seconds(left) / sweep.executor.workers),
    )


def run_sweep(
    config: Config,
    *,
    force: bool = False,
    progress: bool | None = None,
    executor: AbstractExecutor | None = None,
    store: OpenStore = JsonLinesStore,
) -> SweepResult:
    """Train every run of a config's grid that is not stored yet, and write the results.

    Runs are stored as they finish; however the sweep ends, the same call goes on from there, and
    the results are those of a sweep that was never stopped. A run that cannot be trained is
    reported, and again at the end; the others go on.

    Args:
        config: of the sweep; its folder is ``output.dir / experiment.name``.
        force: start over into a new folder, ``<name>-2`` and so on; nothing is deleted.
        progress: whether to draw a progress bar; None: if standard error is a terminal.
        executor: trains the batches in place of the one that ``execution.executor`` names; it
            must keep the contract :class:`llr.testing.ExecutorContract`.
        store: makes the store over the sweep's folder; what it makes must keep the contract
            :class:`llr.testing.StoreContract`. The results files are written as always.

    Returns:
        Where the results are, and what was done.

    Raises:
        InvalidInputError: if an argument is of another type, for example the path of a config.
        ConfigError: if the device is not there, or the name no plain folder name.
        StoreError: if the folder holds another sweep, another process writes to it, or the disk
            fails.
        SweepInterrupted: a ``KeyboardInterrupt`` that says how to go on.

    Example:
        >>> import tempfile
        >>> from llr.config import parse_config
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
    sweep = _prepare(config, force=force, executor=executor, open_store=store)
    check_device(sweep.config)
    with claimed(sweep.folder, sweep.config), closing(sweep.opened()) as opened:
        left = pending(sweep.chunks, opened.entries)
        n_pending = _n_wanted(left)
        with progress_bar(
            n_runs=len(sweep.specs),
            n_done=len(sweep.specs) - n_pending,
            seconds=_seconds(left),
            show=progress,
        ) as shown:
            for damage in opened.damage:
                shown.say(f"{damage}. The rest is kept; this run counts as missing.")
            try:
                failures = _train(sweep, opened, left, shown)
                statuses = _write(sweep, opened)
                paths = SweepPaths(sweep.folder)
                copy_aside(paths.results, paths.latest_results)
            except KeyboardInterrupt:
                raise _interrupted(sweep, force=force) from None
        return SweepResult(
            folder=sweep.folder,
            n_runs=len(sweep.specs),
            n_trained=n_pending - len(failures),
            failures=tuple(failures),
            damage=tuple(str(damage) for damage in opened.damage),
            seconds=time.monotonic() - started,
            statuses=statuses,
        )


def _train(
    sweep: _Sweep, store: AbstractStore, left: Sequence[Chunk], shown: Progress
) -> list[FailedRun]:
    """Train chunks and store their runs; the runs of a chunk that failed are tried one by one."""
    config = sweep.config
    task = TrainChunk(
        engine=config.execution.engine,
        device=config.experiment.device,
        threads=sweep.executor.threads,
        keep_parameters=config.output.save_parameters,
    )
    failures: list[FailedRun] = []
    alone: list[Chunk] = []
    reported: set[str] = set()
    for chunks in (left, alone):
        with closing(sweep.executor.map(task, chunks)) as outcomes:
            for outcome in outcomes:
                chunk = outcome.item
                if outcome.value is not None:
                    store.append(outcome.value)
                    shown.advance(runs=len(chunk.wanted), seconds=chunk.seconds)
                    continue
                failure = outcome.failure or Failure("No reason was given.")
                if failure.message not in reported:
                    reported.add(failure.message)
                    _report(sweep.folder, shown, chunk, failure)
                if len(chunk.specs) == 1:
                    store.append([error_record(chunk, failure.message)])
                    failures.append(FailedRun(chunk.specs[0].id, failure.message))
                    shown.advance(runs=1, seconds=chunk.seconds)
                else:
                    alone.extend(chunk.singly())
    return failures


def _interrupted(sweep: _Sweep, *, force: bool) -> SweepInterrupted:
    """Write the results so far; say how to go on."""
    # Reopen: the interrupt may have hit during an append.
    with closing(sweep.opened()) as store:
        statuses = _write(sweep, store)
    done = statuses.total() - statuses["error"]
    how = f", with experiment.name={sweep.folder.name} instead of --force" if force else ""
    return SweepInterrupted(
        f"Stopped: {done} of {len(sweep.specs)} runs are finished and kept in {sweep.folder}. "
        f"The same command goes on from there{how}."
    )


def _report(folder: Path, shown: Progress, chunk: Chunk, failure: Failure) -> None:
    """Say what failed at once, once a reason; the traceback goes to a file."""
    n = len(chunk.specs)
    what = f"Run {chunk.specs[0].id} failed" if n == 1 else f"A batch of {n} runs failed"
    then = "" if n == 1 else " Its runs will be tried one by one."
    shown.say(f"{what}: {failure.message}{then}")
    if failure.details:
        path = SweepPaths(folder).errors
        with appended(path) as file:
            file.write(f"{what}:\n{failure.details}\n".encode(errors="backslashreplace"))


def _write(sweep: _Sweep, store: AbstractStore) -> Counter[str]:
    """Write the results of all runs that are stored; how many have each status."""
    entries = store.entries
    stored = [spec for spec in sweep.specs if spec.id in entries]
    return write_results(
        sweep.folder,
        store=store,
        specs=stored,
        header={
            "name": sweep.config.experiment.name,
            "n_runs": len(sweep.specs),
            "n_finished": sum(not entries[spec.id].failed for spec in stored),
            "config": sweep.config.to_dict(),
            "environment": _environment(sweep),
        },
        optimistic=optimistic_sample_sizes(sweep.specs),
    )


def _environment(sweep: _Sweep) -> dict[str, Any]:
    """Where and how the sweep ran."""
    experiment = sweep.config.experiment
    device = torch.device(experiment.device)
    is_gpu = device.type == "cuda" and sweep.config.execution.address is None
    return {
        **describe_environment(),
        "device": torch.cuda.get_device_name(device) if is_gpu else experiment.device,
        "dtype": "float64",
        "seed": experiment.seed,
        "executor": sweep.executor.name,
        "workers": sweep.executor.workers,
        "threads": sweep.executor.threads or torch.get_num_threads(),
    }
