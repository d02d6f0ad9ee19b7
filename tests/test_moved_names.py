"""A name that has moved to another package of llr stays where it was, with a warning."""

import importlib

import pytest

HOMES = {
    "llr.sweep": {
        "llr.config": ("Config", "load_config", "parse_config"),
        "llr.executors": (
            *("AbstractExecutor", "Failure", "Outcome"),
            *("InProcessExecutor", "ProcessExecutor", "RayExecutor"),
        ),
    },
    "llr.theory": {
        "llr.tables": (
            *("BIAS_SETTINGS", "Measure", "RankRow", "RankTable"),
            *("architecture_table", "rank_row", "rank_table"),
        )
    },
}
MOVED = [
    (f"{old}.{name}", home)
    for old, homes in HOMES.items()
    for home, names in homes.items()
    for name in names
]


@pytest.mark.parametrize(("old", "home"), MOVED)
def test_a_moved_name_is_found_at_its_old_place_with_a_warning(old, home):
    module, _, name = old.rpartition(".")
    with pytest.warns(DeprecationWarning, match=rf"{old} is deprecated; use {home}\.{name}\."):
        value = getattr(importlib.import_module(module), name)
    assert value is getattr(importlib.import_module(home), name)
    assert name not in importlib.import_module(module).__all__


def test_the_warning_names_the_line_that_uses_the_old_place():
    with pytest.warns(DeprecationWarning, match=r"use llr\.config") as caught:
        from llr.sweep import parse_config  # noqa: F401
    assert {warning.filename for warning in caught} == {__file__}


def test_a_name_that_was_changed_is_found_under_its_old_one():
    import llr.tangent

    with pytest.warns(DeprecationWarning, match=r"use llr\.tangent\.LOWER_BOUND_NOTE\."):
        assert llr.tangent.BOUND_FROM_BELOW == llr.tangent.LOWER_BOUND_NOTE


@pytest.mark.parametrize("module", [*HOMES, "llr.tangent"])
def test_a_name_that_never_was_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'nothing'"):
        _ = importlib.import_module(module).nothing
