"""The folder of a sweep: where it is, whose it is, and that only one process writes to it."""

from __future__ import annotations

import difflib
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from llr._files import disk_errors, written_aside
from llr.config import Config, load_config
from llr.errors import ConfigError, StoreError
from llr.sweep._paths import RESULTS_FILE, SINGLE_RUNS, SweepPaths
from llr.sweep._spec import SPEC_VERSION

__all__ = [
    "check_same_sweep",
    "claimed",
    "fresh_folder",
    "locked",
    "stored_config",
    "sweep_folder",
]

_STORE_VERSION = 1
"""Of the layout of a sweep's folder: raised when an older version could not read it."""

_VERSIONS = f"# llr sweep: store {_STORE_VERSION}, identity {SPEC_VERSION}"
"""First line of a stored config: runs of another identity have other numbers for equal specs."""

_AXES = ("model.type", "model.scale", "model.width", "data.train_size", "init.std")
"""Single values that stand for an axis of the grid."""


def sweep_folder(config: Config) -> Path:
    """The folder of a config's sweep.

    Raises:
        ConfigError: if the name would lead out of the output folder, or to a file in it that
            others use.
    """
    name = config.experiment.name
    if name in ("", "..", RESULTS_FILE) or Path(name).name != name or not name.isprintable():
        raise ConfigError(
            f"experiment.name must be a plain folder name, not {RESULTS_FILE!r}, got {name!r}."
        )
    return Path(config.output.dir) / name


def fresh_folder(folder: Path) -> Path:
    """The folder itself if it is not there yet, else the first free of ``-2``, ``-3``, ..."""
    candidate, number = folder, 1
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only process that writes to a folder, which is created if need be.

    The operating system holds the lock: it is gone when the process is, however that ends.

    Raises:
        StoreError: if another process has it, or the folder cannot be written.
    """
    lock_file = SweepPaths(folder).lock
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if lock_file.is_symlink():
            raise StoreError(f"{lock_file} must be a file of the sweep's own, but it is a link.")
        lock = FileLock(lock_file)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StoreError(
                f"{folder} must have one sweep at a time, but {_holder(folder)} is writing to "
                "it. Wait for it to end, or use another experiment.name."
            ) from None
    try:
        with written_aside(SweepPaths(folder).holder) as file:
            file.write(json.dumps({"pid": os.getpid(), "host": platform.node()}).encode())
        yield
    finally:
        lock.release()


def _holder(folder: Path) -> str:
    """Who has the lock, as far as known."""
    try:
        holder = json.loads((SweepPaths(folder).holder).read_bytes())
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def check_same_sweep(folder: Path, config: Config) -> None:
    """Check that a folder's runs belong with those of a config.

    The axes of the grid (``sweep``, and the single values that stand for an axis where ``sweep``
    has none) are free to change: a run's id tells it apart. All else that is computed must be
    the same.

    Raises:
        StoreError: if it is not, with the difference; or if the folder holds something else.
    """
    stored_file = SweepPaths(folder).config
    if not stored_file.exists():
        names = {path.name for path in folder.glob("[!.]*")} if folder.exists() else set()
        strangers = names - {SINGLE_RUNS}
        if strangers:
            raise StoreError(
                f"{folder} must be empty or hold a sweep, but it has no {stored_file.name} and "
                f"holds {', '.join(sorted(strangers)[:3])}. Use another experiment.name or "
                "output.dir."
            )
        return
    try:
        versions = _first_line(stored_file)
        if versions != _VERSIONS:
            raise ConfigError(f"its first line must read {_VERSIONS!r}, got {versions[:80]!r}.")
        stored = stored_config(SweepPaths(folder))
    except ConfigError as error:
        raise StoreError(
            f"{stored_file} must be as this version of llr writes it, but: {error} "
            "Use --force to start over into a new folder, or another experiment.name."
        ) from error
    before, now = _fixed(stored), _fixed(config)
    if before != now:
        lines = difflib.unified_diff(before, now, lineterm="", n=0)
        changes = "\n".join(f"  {line}" for line in lines if line[:3] not in ("---", "+++", "@@ "))
        raise StoreError(
            f"{folder} holds a sweep that computes something else (- stored, + asked for):\n"
            f"{changes}\nUse --force to start over into a new folder (nothing is deleted), or "
            "another experiment.name. Only the axes of the grid may change in place: models, "
            "scales, sample sizes, initial stds, seeds."
        )


def stored_config(paths: SweepPaths) -> Config:
    """The config in a sweep's folder.

    Raises:
        ConfigError: if it cannot be read.
    """
    _check_is_file(paths.config)
    return load_config(paths.config)


def _first_line(file: Path) -> str:
    """Where a stored config states the versions.

    Raises:
        ConfigError: if it cannot be read.
    """
    _check_is_file(file)
    try:
        with file.open("rb") as lines:
            return lines.readline(1000).decode(errors="replace").rstrip("\n")
    except OSError as error:
        raise ConfigError(f"it cannot be read: {error.strerror or error}.") from None


def _check_is_file(file: Path) -> None:
    """Refuse what would block, or never end, when it is read.

    Raises:
        ConfigError: if there is something else in its place.
    """
    if file.exists() and not file.is_file():
        raise ConfigError(f"{file}: must be a file, but it is a folder, a pipe or a device.")


@contextmanager
def claimed(folder: Path, config: Config) -> Iterator[None]:
    """Hold a folder for a config's sweep alone: check it, lock it, note what is computed in it.

    A folder that holds something else is refused before anything is written to it; it is checked
    again under the lock, since another process may have claimed it in between.

    Raises:
        StoreError: if it holds another sweep, another process has it, or it cannot be written.
    """
    check_same_sweep(folder, config)
    with locked(folder):
        check_same_sweep(folder, config)
        with written_aside(SweepPaths(folder).config) as file:
            file.write(f"{_VERSIONS}\n{config.to_yaml()}".encode())
        yield


def _fixed(config: Config) -> list[str]:
    """What is computed and is no axis of the grid, a sorted line a key."""
    sections = config.to_dict()
    computed = {
        name: sections[name] for name in ("experiment", "data", "model", "training", "init")
    }
    lines = {
        f"{section}.{key}": value
        for section, keys in computed.items()
        for key, value in keys.items()
    }
    for key in (*_AXES, "experiment.name", "experiment.device"):
        lines.pop(key, None)
    return [f"{key}: {json.dumps(value)}" for key, value in sorted(lines.items())]
