"""JSON and HTML of results."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np

import llr
from llr._show import html_lines, html_table, json_ready, to_json

ROOT = Path(llr.__file__).parent


def test_numbers_that_json_cannot_hold_become_null_at_any_depth() -> None:
    value = {
        "a": float("nan"),
        "b": [1.5, (float("inf"), {"c": -float("inf")})],
        "d": "nan",
        "e": True,
    }
    assert json_ready(value) == {"a": None, "b": [1.5, [None, {"c": None}]], "d": "nan", "e": True}
    assert json.loads(to_json(value)) == json_ready(value)
    assert json_ready(np.float64("inf")) is None
    assert to_json({"a": np.float64(0.5)}) == '{"a": 0.5}'


def test_text_is_escaped_in_html() -> None:
    rows = [("<b>", "1 & 2")]
    assert "<b>" not in html_table(rows)
    assert "1 &amp; 2" in html_table(rows)
    assert html_table(rows, header=("x", "y"), caption="<i>").startswith(
        "<table><caption>&lt;i&gt;"
    )
    assert html_lines(["a < b", "c"]) == "a &lt; b<br>c"


def test_html_and_nulls_are_written_in_one_place() -> None:
    for path in ROOT.rglob("*.py"):
        if path.name == "_show.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert "html" not in [alias.name for alias in node.names], path
            if isinstance(node, ast.FunctionDef) and node.name == "to_json":
                assert "dumps" not in ast.unparse(node), path
