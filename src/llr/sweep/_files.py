"""Files that are either whole or not there: written aside, then moved into place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from llr.errors import StoreError

__all__ = ["copy_aside", "disk_errors", "sync_folder", "written_aside"]


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Say what could not be written, and what to do about it.

    Raises:
        StoreError: for an OSError inside, such as a full disk.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path} must be writable, but: {error.strerror or error}. Runs that had finished "
            "are kept; mend this (free space, permissions) and run the same command again."
        ) from error


@contextmanager
def written_aside(path: Path) -> Iterator[BinaryIO]:
    """A file to write that replaces ``path`` when it is complete and on the disk.

    Args:
        path: what to replace; its folder must exist.

    Yields:
        The open temporary file, in the same folder.

    Raises:
        StoreError: if it cannot be written; ``path`` is then as it was.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with disk_errors(path):
        try:
            with aside.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        sync_folder(path.parent)


def copy_aside(source: Path, target: Path) -> None:
    """Copy a file so that ``target`` is at every moment the old or the new one, whole."""
    with source.open("rb") as original, written_aside(target) as copy:
        shutil.copyfileobj(original, copy)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system lets one ask for it."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
