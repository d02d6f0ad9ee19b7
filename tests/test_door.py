"""The public door: grouped names, loaded on first use."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import llr


def test_every_public_name_loads_and_every_loadable_name_is_grouped():
    stub = ast.parse(Path(llr.__file__).with_suffix(".pyi").read_text())
    grouped = next(
        ast.literal_eval(node.value)
        for node in stub.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    assert sorted(grouped) == sorted(llr.__all__)
    for name in llr.__all__:
        assert getattr(llr, name) is not None


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="modle_rank"):
        _ = llr.modle_rank


@pytest.mark.parametrize("code", ["import llr", "import llr; dir(llr)", "import llr.cli"])
def test_import_loads_nothing_heavy(code: str):
    heavy = "torch numpy scipy numba pandas matplotlib pydantic"
    probe = f"{code}; import sys; print([m for m in {heavy.split()!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
