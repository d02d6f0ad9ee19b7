"""Pages of the documentation, one a reproduction: figure, verdict, comparison, data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llr.reproduce._job import Job
from llr.reproduce._judges import NAMES
from llr.reproduce._reproduce import Reproduced

__all__ = ["write_page"]

_INDEX = """# Reproduction gallery

Each result below is one command: `llr reproduce NAME`. The settings are in a YAML file of that name
in `configs/`; the runs are ordinary sweeps, so a stopped command goes on where it was. `--quick`
gives a look in less than a minute, `llr reproduce --list` the names. Every page shows the figure,
the verdict, the numbers beside the papers' or the theory's, and the data to draw it again.

| result | verdict | |
|---|---|---|
{rows}

```{{toctree}}
:hidden:

{pages}
```
"""

_PAGE = """# {title}

*{source}*

{about}

```console
$ llr reproduce {command}
```

{size}

**Verdict: {verdict}**, {agreed} of {compared} figures. {findings}

{figures}

| | expected | source | measured | agrees |
|---|---|---|---|---|
{comparisons}

Data: {data}.
"""


def write_page(result: Reproduced, job: Job, gallery: Path) -> Path:
    """Copy a reproduction into the gallery, write its page and the gallery's index anew.

    Figures are stored as SVG alone.

    Args:
        result: what came of it.
        job: what was asked for.
        gallery: folder of the gallery.

    Returns:
        The page.
    """
    name = job.folder.name
    assets = gallery / name
    assets.mkdir(parents=True, exist_ok=True)
    for paths in result.files.values():
        for path in paths:
            if path.suffix != ".png":
                shutil.copyfile(path, assets / path.name)
    page = gallery / f"{name}.md"
    page.write_text(_page(result, job, name), encoding="utf-8")
    (gallery / "index.md").write_text(_index(gallery), encoding="utf-8")
    return page


def _page(result: Reproduced, job: Job, name: str) -> str:
    """The text of a page."""
    settings, trained = job.settings, job.trained.optimizers
    chosen = job.optimizer or next(iter(trained), "")
    options = [job.name]
    if job.optimizer is not None:
        options.append(f"--optimizer {job.optimizer}")
    if job.quick:
        options.append("--quick")
    changes = [f"{key}={_compact(value)}" for key, value in job.overrides.items()]
    options += changes
    other = f", by {chosen}" if job.optimizer is not None else ""
    training = trained[chosen].about if chosen else ""
    images = [path for path in result.files["figures"] if path.suffix == ".svg"]
    data = [*result.files["data"], *result.files["verdict"]]
    return _PAGE.format(
        title=settings.title + other,
        source=settings.source,
        about="\n\n".join(filter(None, (settings.about, training))),
        command=" ".join(options),
        size=f"Other than in the YAML file: {', '.join(changes)}. " * bool(changes) + result.size,
        **{key: value for key, value in result.verdict.summary().items() if key != "name"},
        figures="\n\n".join(f"![{settings.title}]({name}/{path.name})" for path in images),
        comparisons="\n".join(_row(c) for c in result.verdict.to_dict()["comparisons"]),
        data=", ".join(f"[{path.name}]({name}/{path.name})" for path in data),
    )


def _compact(value: Any) -> str:
    """A value of the command line, without spaces."""
    return json.dumps(value, separators=(",", ":"))


def _row(comparison: Mapping[str, Any]) -> str:
    """One comparison as a line of a table."""
    expected = _number(comparison["expected"])
    if comparison["relation"] != "equals":
        expected = f"{comparison['relation']} {expected}"
    if comparison["tolerance"]:
        expected += f" ± {_number(comparison['tolerance'])}"
    agrees = {True: "yes", False: "no", None: ""}[comparison["agrees"]]
    cells = (comparison["what"], expected, comparison["source"], _number(comparison["measured"]))
    return f"| {' | '.join((*cells, agrees))} |"


def _number(value: float | None) -> str:
    """A number, or that there is none."""
    return "none" if value is None else f"{value:g}"


def _index(gallery: Path) -> str:
    """The gallery's front page, from the verdicts that are there."""
    stored = {path.parent.name: path for path in gallery.glob("*/verdict.json")}
    rows, pages = [], []
    for name in _ordered(list(stored)):
        verdict = json.loads(stored[name].read_text(encoding="utf-8"))
        counts = f"{verdict['agreed']} of {verdict['compared']}"
        rows.append(
            f"| [{name}]({name}.md) | {verdict['verdict']}, {counts} | {_opening(verdict)} |"
        )
        pages.append(name)
    return _INDEX.format(rows="\n".join(rows), pages="\n".join(pages))


def _opening(verdict: Mapping[str, Any]) -> str:
    """The first sentence of what was found."""
    first, stop, _ = verdict["findings"].partition(". ")
    return first + stop.strip()


def _ordered(names: Sequence[str]) -> list[str]:
    """Stored names in the order of the list of reproductions."""
    return sorted(names, key=lambda name: (max(map(name.startswith, NAMES)), _place(name), name))


def _place(name: str) -> int:
    """Position of the reproduction that a stored name belongs to."""
    matches = [position for position, known in enumerate(NAMES) if name.startswith(known)]
    return matches[0] if matches else len(NAMES)
