"""Files that are either whole or not there: written aside, then moved into place."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from llr.errors import StoreError

__all__ = [
    "appended",
    "copy_aside",
    "disk_errors",
    "made_folder",
    "sync_folder",
    "write_whole",
    "written_aside",
]


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into a sentence: what failed, and what to do.

    Raises:
        StoreError: for an OSError inside, such as a full disk.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path} must be writable, but: {error.strerror or error}. Runs that had finished "
            "are kept; free space or change permissions, and run the same command again."
        ) from error


@contextmanager
def written_aside(path: Path) -> Iterator[BinaryIO]:
    """A file to write that replaces ``path`` when it is complete and on the disk.

    It is written under a name that nobody can guess, and only if nothing has that name yet, so
    that no link leads elsewhere; a link at ``path`` is itself replaced.

    Args:
        path: what to replace; its folder must exist.

    Yields:
        The open temporary file, in the same folder.

    Raises:
        StoreError: if it cannot be written; ``path`` is then as it was.
    """
    aside = path.with_name(f".{path.name[:80]}.{secrets.token_hex(8)}.tmp")
    with disk_errors(path):
        try:
            with aside.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        sync_folder(path.parent)


def write_whole(path: Path, text: str) -> None:
    """Replace a file's contents by a text, in UTF-8; its folder is made if need be.

    Raises:
        StoreError: if it cannot be written; ``path`` is then as it was.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(path) as file:
        file.write(text.encode())


@contextmanager
def appended(path: Path) -> Iterator[BinaryIO]:
    """A file to append to, which must not be a link.

    Raises:
        StoreError: if it cannot be written, or is a link.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    with disk_errors(path), os.fdopen(os.open(path, flags, 0o666), "ab") as file:
        yield file


def made_folder(folder: Path) -> Path:
    """The folder, made if need be; it must not be a link, which could lead anywhere.

    Raises:
        StoreError: if it cannot be made, or is a link.
    """
    if folder.is_symlink():
        raise StoreError(
            f"{folder} must be a folder of the sweep's own, but it is a link to "
            f"{folder.readlink()}. Remove the link; to keep a sweep elsewhere, set output.dir."
        )
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


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
