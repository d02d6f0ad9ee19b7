"""Compiled entry points, kept on disk until a file that they are compiled from changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from numba import njit

__all__ = ["INLINE", "INNER", "JIT", "KERNEL", "digest_of", "kept_on_disk"]

JIT: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
"""How every kernel is compiled: to run without the GIL, dividing as NumPy divides."""

KERNEL: dict[str, Any] = {**JIT, "_nrt": False}
"""Likewise, for code that allocates nothing: arrays are not reference-counted."""

INNER: dict[str, Any] = {**KERNEL, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Likewise, for functions that only compiled code calls."""

INLINE: dict[str, Any] = {**INNER, "forceinline": True}
"""Likewise, for small functions that inner loops call."""


def digest_of(files: Sequence[Path]) -> str:
    """A hash of the contents of files."""
    contents = (hashlib.sha256(file.read_bytes()).digest() for file in files)
    return hashlib.sha256(b"".join(contents)).hexdigest()


def kept_on_disk(
    make: Callable[[str], Callable[..., Any]],
    files: Sequence[Path],
    options: dict[str, Any] = JIT,
) -> Any:
    """A compiled function, stored in Numba's cache where there is a folder for it.

    Numba notices changes to the file that defines the function and to the variables that it
    closes over. It does not notice changes to the functions that it calls.

    Args:
        make: defines the function, which must close over the hash that ``make`` is given.
        files: every file whose code is compiled into the function; this one is added.
        options: of the compiler.

    Returns:
        The function, compiled on first call.
    """
    function = make(digest_of([*files, Path(__file__)]))
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # no folder that can be written
        return njit(**options)(function)
