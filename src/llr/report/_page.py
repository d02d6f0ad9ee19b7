"""The page: one HTML file that contains everything and loads nothing from the network."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex

from llr._constants import RECOVERY_THRESHOLD
from llr._files import write_whole
from llr._yaml import write_yaml
from llr.analysis import transition_table
from llr.errors import MissingExtraError
from llr.report._display_names import architecture_name, sci
from llr.report._figure_data import label_settings
from llr.report._page_data import page_data
from llr.report._sweep_in_words import asked, time_label
from llr.sweep import StoredSweep, SweepPaths, open_sweep

__all__ = ["render", "write_report"]

_OPTIMISTIC = "optimistic_sample_size"
_COLOUR_LIMITS = (1e-6, 1.0)


def write_report(folder: Path | str, *, output: Path | str | None = None) -> Path:
    """Write the report of a sweep: one HTML file, to be opened from the disk.

    Args:
        folder: of the sweep, finished or not.
        output: the file to write; None: ``report.html`` in the folder.

    Returns:
        The file.

    Raises:
        ResultsError: if the folder holds no sweep, or its results do not follow the schema.
        MissingExtraError: if the libraries that the page needs are not installed.
        StoreError: if the file cannot be written.
    """
    page = render(open_sweep(folder))
    target = SweepPaths(Path(folder)).report if output is None else Path(output)
    write_whole(target, page)
    return target


def render(sweep: StoredSweep, *, watch: Mapping[str, Any] | None = None) -> str:
    """The page of a sweep.

    Args:
        sweep: finished or not.
        watch: for a page that is served while the sweep runs: ``version`` of what it shows, and
            ``seconds`` after which it asks for the version again.

    Returns:
        HTML.

    Raises:
        MissingExtraError: if the libraries that the page needs are not installed.
    """
    environment, plotly = _libraries()
    data: dict[str, Any] = {"watch": dict(watch)} if watch else {}
    transitions: list[dict[str, Any]] = []
    if sweep.n_finished:
        transitions = _transitions(sweep)
        data |= page_data(sweep)
        data |= {"limits": _COLOUR_LIMITS, "time_label": time_label(sweep.config)}
        data["colours"] = [to_hex(colour) for colour in colormaps["viridis"](np.linspace(0, 1, 17))]
    script, css = (_resource(f"page.{kind}") for kind in ("js", "css"))
    return environment.from_string(_resource("page.html.j2")).render(
        policy=_policy([script, *([plotly] if transitions else [])], served=watch is not None),
        name=sweep.name,
        css=_verbatim(css),
        script=_verbatim(script),
        plotly=_verbatim(plotly),
        data=_verbatim(_json(data)),
        is_complete=sweep.is_complete,
        is_watched=watch is not None,
        written=_written(sweep),
        n_runs=f"{sweep.n_runs:,}",
        n_finished=f"{sweep.n_finished:,}",
        errors=Counter(sweep.errors.get("message", [])),
        asked=asked(sweep.config, sweep.runs, n_runs=sweep.n_runs),
        threshold=sci(RECOVERY_THRESHOLD),
        transitions=transitions,
        has_settings=any(row["setting"] for row in transitions),
        gaps=any(row["gap"] for row in transitions),
        choice=_choice(data),
        environment=list(_flat(sweep.environment)),
        config=write_yaml(dict(sweep.config)),
    )


def _libraries() -> tuple[Any, str]:
    """A template environment that escapes all values, and the source of plotly.js."""
    try:
        from jinja2 import Environment, StrictUndefined
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise MissingExtraError(
            f"The report needs plotly and jinja2, but {error.name} is not installed. "
            "Install them with: pip install 'llr[report]'"
        ) from error
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment, get_plotlyjs()


def _resource(name: str) -> str:
    """A file of the page."""
    return files("llr.report").joinpath("templates", name).read_text(encoding="utf-8")


def _verbatim(text: str) -> Any:
    """Text that the template does not escape: our own, or JSON."""
    from markupsafe import Markup

    return Markup(text)


def _json(value: Any) -> str:
    """JSON that cannot close the script element around it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(scripts: list[str], *, served: bool) -> str:
    """The content security policy: these scripts and no others, nothing from the network."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    network = "'self'" if served else "'none'"
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        f"connect-src {network}; base-uri 'none'; form-action 'none'"
    )


def _transitions(sweep: StoredSweep) -> list[dict[str, Any]]:
    """The table of transitions, in words."""
    table = transition_table(label_settings(sweep.runs), by=["model", "setting"])
    return [
        {
            "network": architecture_name(row["model"]),
            "setting": row["setting"],
            "theory": "not known" if pd.isna(row[_OPTIMISTIC]) else f"{row[_OPTIMISTIC]:g}",
            "measured": _size(row["transition"], row["largest"]),
            "interval": _interval(row),
            "median": _size(row["median_below"], row["largest"]),
            "mean": _size(row["mean_below"], row["largest"]),
            "runs": f"{row['n_runs']:,}",
            "gap": math.isfinite(row["transition"]) and row["transition"] - row["after"] > 1,
        }
        for row in table.astype(object).to_dict("records")
    ]


def _size(size: float, largest: float) -> str:
    """A transition; ``> n`` beyond the largest measured sample size."""
    return f"{size:g}" if math.isfinite(size) else f"> {largest:g}"


def _interval(row: Mapping[Any, Any]) -> str:
    """The bootstrap interval of a transition."""
    if math.isnan(row["low"]):
        return "(one seed)"
    return f"[{_size(row['low'], row['largest'])}, {_size(row['high'], row['largest'])}]"


def _written(sweep: StoredSweep) -> str:
    """When the results were written."""
    moment = sweep.environment.get("written_at")
    return f", {moment[:16].replace('T', ' ')} UTC" if isinstance(moment, str) else ""


def _choice(data: Mapping[str, Any]) -> str:
    """How many single runs the page holds, unless it holds all."""
    shown, total = len(data.get("runs", ())), data.get("n_runs", 0)
    return (
        ""
        if shown == total
        else f" ({shown:,} of {total:,}, starting in each cell with the run of median error)"
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested values as pairs of name and value."""
    for key, value in values.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}: ")
        else:
            yield name, str(value)
