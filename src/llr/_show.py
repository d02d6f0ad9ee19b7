"""How results become JSON and HTML, written once for every package."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["html_block", "html_lines", "html_table", "json_ready", "to_json"]


def json_ready(value: Any) -> Any:
    """The value with every number that JSON cannot hold, infinite or NaN, replaced by None.

    Args:
        value: numbers, strings, mappings and sequences, nested in any way.

    Returns:
        The same, with dicts for mappings and lists for sequences.

    Example:
        >>> json_ready({"gap": float("inf"), "ranks": (1, 2)})
        {'gap': None, 'ranks': [1, 2]}
    """
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [json_ready(item) for item in value]
    return value


def to_json(value: Any, *, indent: int | None = None) -> str:
    """The value as valid JSON; numbers that are not finite become null.

    Args:
        value: as in :func:`json_ready`.
        indent: spaces per level; None: one line.

    Returns:
        The JSON text.

    Example:
        >>> to_json({"gap": float("inf"), "rank": 7})
        '{"gap": null, "rank": 7}'
    """
    return json.dumps(json_ready(value), indent=indent, allow_nan=False)


def html_table(
    rows: Iterable[Sequence[str]], *, header: Sequence[str] = (), caption: str = ""
) -> str:
    """An HTML table of text, for notebooks.

    Args:
        rows: cells of each row, as plain text.
        header: cells of a first row; without one, the first cell of each row is its name.
        caption: a title.

    Returns:
        The table, every text escaped.

    Example:
        >>> html_table([("7 < 8", "yes")], header=("claim", "holds"))
        '<table><tr><th>claim</th><th>holds</th></tr><tr><td>7 &lt; 8</td><td>yes</td></tr></table>'
    """
    parts = [f"<caption>{html.escape(caption)}</caption>"] if caption else []
    if header:
        parts.append("<tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in header) + "</tr>")
    for row in rows:
        named = 0 if header else 1
        cells = [f"<th style='text-align:left'>{html.escape(cell)}</th>" for cell in row[:named]]
        style = "" if header else " style='text-align:left'"
        cells += [f"<td{style}>{html.escape(cell)}</td>" for cell in row[named:]]
        parts.append("<tr>" + "".join(cells) + "</tr>")
    return "<table>" + "".join(parts) + "</table>"


def html_lines(lines: Iterable[str]) -> str:
    """Lines of plain text as HTML, escaped, one under the other.

    Args:
        lines: the text.

    Returns:
        The HTML.

    Example:
        >>> html_lines(["rank 7", "7 < 8"])
        'rank 7<br>7 &lt; 8'
    """
    return "<br>".join(html.escape(line) for line in lines)


def html_block(text: str) -> str:
    """Plain text as HTML, escaped, with its line breaks and indentation.

    Args:
        text: the text.

    Returns:
        The HTML.

    Example:
        >>> html_block("7 < 8")
        '<pre>7 &lt; 8</pre>'
    """
    return f"<pre>{html.escape(text)}</pre>"
