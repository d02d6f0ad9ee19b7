"""Compiled code on disk is used again only while its source files are the same."""

import ast
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from numba.core.dispatcher import Dispatcher

from llr.training import _disk_cache
from llr.training._disk_cache import digest_of, kept_on_disk
from llr.training.compiled import _layer_kernels, _two_layer_kernels
from llr.training.flow import _integrate

ENTRIES = {
    "descent": (_two_layer_kernels.descend, _two_layer_kernels.SOURCES),
    "layers": (_layer_kernels.descend, _layer_kernels.SOURCES),
    "flow": (_integrate.integrate, _integrate.SOURCES),
}


def names_in(code: CodeType) -> set[str]:
    """Names that a function and the functions inside it look up."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*(names_in(constant) for constant in inner))


def imported_from(module: ModuleType) -> dict[str, str]:
    """Names that a module imports from other modules of llr, each with that module's name."""
    tree = ast.parse(inspect.getsource(module))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname or alias.name: definer(str(node.module), alias.name)
        for node in imports
        for alias in node.names
        if str(node.module).startswith("llr.")
    }


def definer(module: str, name: str) -> str:
    """The module that defines what a module exports."""
    found = sys.modules[module]
    return imported_from(found).get(name, module) if hasattr(found, "__path__") else module


def compiled_files(entry: Dispatcher) -> set[Path]:
    """Files that define what a compiled function reaches: functions, constants, named tuples."""
    files, seen, waiting = set(), set(), [entry]
    while waiting:
        found = waiting.pop()
        function = getattr(found, "py_func", getattr(found, "_defn", found))
        if function in seen:
            continue
        seen.add(function)
        module = sys.modules[function.__module__]
        files.add(Path(module.__file__))
        imported = imported_from(module)
        for name in names_in(function.__code__):
            if name in imported:
                files.add(Path(sys.modules[imported[name]].__file__))
            value = vars(module).get(name)
            if (
                isinstance(value, Dispatcher)
                or hasattr(value, "_defn")
                or inspect.isfunction(value)
            ):
                waiting.append(value)
    return files


@pytest.mark.parametrize("name", ENTRIES)
def test_the_list_of_files_is_what_the_compiled_code_reaches(name):
    entry, sources = ENTRIES[name]
    assert compiled_files(entry) <= {*sources, Path(_disk_cache.__file__)}
    assert len(set(sources)) == len(sources)


def test_a_file_that_is_left_out_would_be_noticed():
    files = compiled_files(_integrate.integrate)
    assert {file.name for file in files} >= {
        "_vectors.py",
        "_padded_algebra.py",
        "_step_control.py",
    }


@pytest.mark.parametrize("name", ENTRIES)
def test_a_change_in_any_file_changes_the_hash(name, tmp_path):
    _, sources = ENTRIES[name]
    copies = [tmp_path / file.name for file in sources]
    for file, copy in zip(sources, copies, strict=True):
        copy.write_bytes(file.read_bytes())
    before = digest_of(copies)
    assert before == digest_of(sources)
    for copy in copies:
        text = copy.read_bytes()
        copy.write_bytes(text + b"#")
        assert digest_of(copies) != before
        copy.write_bytes(text)


CALLEE = "from numba import njit\n@njit\ndef value():\n    return {value}\n"
CALLER = """
from pathlib import Path
import callee
from _disk_cache import kept_on_disk

def make(digest):
    def entry():
        _ = digest
        return callee.value()
    return entry

entry = kept_on_disk(make, [Path(__file__), Path(callee.__file__)])
print(entry(), sum(entry.stats.cache_hits.values()))
"""


def test_an_edited_callee_is_compiled_again(tmp_path):
    (tmp_path / "caller.py").write_text(CALLER)
    shutil.copy(str(_disk_cache.__file__), tmp_path)  # alone it imports Numba and no torch

    def run(value: int) -> str:
        (tmp_path / "callee.py").write_text(CALLEE.format(value=value))
        return subprocess.run(
            [sys.executable, "-B", "-W", "error", "caller.py"],
            cwd=tmp_path,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    assert [run(1), run(1), run(2), run(2)] == ["1 0", "1 1", "2 0", "2 1"]


def test_without_a_folder_for_the_cache_the_function_compiles_all_the_same(monkeypatch):
    real = _disk_cache.njit

    def nowhere(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(_disk_cache, "njit", nowhere)
    entry = kept_on_disk(lambda digest: lambda: len(digest), [])
    assert entry() == 64
    assert type(entry.stats.cache_path) is type(None)
