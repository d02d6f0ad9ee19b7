"""The public door: grouped names, loaded on first use."""

import subprocess
import sys

import pytest

import llr


def test_every_public_name_loads_and_every_loadable_name_is_public():
    assert sorted(llr.__all__) == sorted(llr._HOME)
    for name in llr.__all__:
        assert getattr(llr, name) is not None


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'modle_rank'"):
        _ = llr.modle_rank


@pytest.mark.parametrize("code", ["import llr", "import llr; dir(llr)", "import llr.cli"])
def test_import_loads_nothing_heavy(code: str):
    heavy = "torch numpy scipy numba pandas matplotlib pydantic"
    probe = f"{code}; import sys; print([m for m in {heavy.split()!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
