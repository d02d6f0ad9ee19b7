"""Pages of the documentation, one per reproduction: verdict, figure, numbers, data."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llr._files import copy_aside, write_whole
from llr.reproduce._job import Job
from llr.reproduce._judges import NAMES
from llr.reproduce._reproduce import Reproduced
from llr.reproduce._verdict import Comparison

__all__ = ["write_page"]

_MOST_ROWS = 6
"""Rows of the table that a page shows unfolded."""

_INDEX = """# Reproduction gallery

Each result below is one command: `llr reproduce NAME`. Its settings are in a YAML file of that
name in `configs/`; its runs are ordinary sweeps, so a command that was stopped continues where it
was. `--quick` gives a first look in less than a minute, and `llr reproduce --list` lists the names.
Every page shows the verdict and the figure; the setting, all numbers and the data are folded below
them.

| result | numbers that agree | in one sentence |
|---|---|---|
{rows}

```{{toctree}}
:hidden:

{pages}
```
"""

_PAGE = """# {title}

**{verdict}: {agreed} of {compared} numbers.** {headline}

{figure}

| {caption} | expected | measured | agrees |
|---|---|---|---|
{few}

```console
$ llr reproduce {command}
```

{folded}
"""

_FOLDED = """<details>
<summary>{summary}</summary>

{text}

</details>"""


def write_page(result: Reproduced, job: Job, gallery: Path) -> Path:
    """Copy a reproduction into the gallery, write its page and the gallery's index.

    Figures are stored as SVG alone.

    Args:
        result: of the reproduction.
        job: that was run.
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
                copy_aside(path, assets / path.name)
    page = gallery / f"{name}.md"
    write_whole(page, _page(result, job, name))
    write_whole(gallery / "index.md", _index(gallery))
    return page


def _page(result: Reproduced, job: Job, name: str) -> str:
    """The text of a page."""
    verdict, title = result.verdict, job.settings.title
    agreed, compared = verdict.counts
    images = [path for path in result.files["figures"] if path.suffix == ".svg"]
    figures = [f"![{title}]({name}/{path.name})" for path in images]
    few = _evenly(verdict.comparisons)
    folded = {
        "The setting": _setting(result, job),
        "The findings in full": verdict.findings,
        "More figures": "\n\n".join(figures[1:]),
        f"All {len(verdict.comparisons)} numbers": "\n".join(
            (_HEADER, *map(_row, verdict.comparisons))
        ),
        "The data": _links([*result.files["data"], *result.files["verdict"]], name),
    }
    return _PAGE.format(
        title=title + (f", by {job.optimizer}" if job.optimizer is not None else ""),
        verdict=verdict.word.capitalize(),
        agreed=agreed,
        compared=compared,
        headline=verdict.headline,
        figure=figures[0] if figures else "",
        caption="" if len(few) == len(verdict.comparisons) else f"{len(few)} of them",
        few="\n".join(_row(c, with_source=False) for c in few),
        command=_command(job),
        folded="\n\n".join(
            _FOLDED.format(summary=summary, text=text) for summary, text in folded.items() if text
        ),
    )


def _command(job: Job) -> str:
    """What follows ``llr reproduce`` on the command line."""
    options = [job.name]
    if job.optimizer is not None:
        options.append(f"--optimizer {job.optimizer}")
    if job.quick:
        options.append("--quick")
    return " ".join((*options, *_changes(job)))


def _changes(job: Job) -> list[str]:
    """Config values that differ from the YAML file."""
    return [f"{key}={_compact(value)}" for key, value in job.overrides.items()]


def _setting(result: Reproduced, job: Job) -> str:
    """What is computed and how, what was trained, and where the original stands."""
    trained, changes = job.trained.optimizers, _changes(job)
    chosen = job.optimizer or next(iter(trained), "")
    size = f"Other than in the YAML file: {', '.join(changes)}. " * bool(changes) + result.size
    source = f"Source: {job.settings.source.rstrip('.')}."
    about = trained[chosen].about if chosen else ""
    return "\n\n".join(filter(None, (job.settings.about, about, size, source)))


def _links(files: Sequence[Path], folder: str) -> str:
    """Links to files of a page's folder."""
    return ", ".join(f"[{path.name}]({folder}/{path.name})" for path in files) + "."


def _evenly(comparisons: Sequence[Comparison]) -> Sequence[Comparison]:
    """A few comparisons, spread evenly, the first and the last among them."""
    last, most = len(comparisons) - 1, min(len(comparisons), _MOST_ROWS)
    return [comparisons[round(i * last / max(most - 1, 1))] for i in range(most)]


def _compact(value: Any) -> str:
    """A value of the command line, without spaces."""
    return json.dumps(value, separators=(",", ":"))


_HEADER = "| | expected | source | measured | agrees |\n|---|---|---|---|---|"


def _row(comparison: Comparison, *, with_source: bool = True) -> str:
    """One comparison as a line of a table."""
    expected = _number(comparison.expected)
    if comparison.relation != "equals":
        expected = f"{comparison.relation} {expected}"
    if comparison.tolerance:
        expected += f" ± {_number(comparison.tolerance)}"
    source = [comparison.source] if with_source else []
    agrees = {True: "yes", False: "no", None: ""}[comparison.agrees]
    cells = (comparison.what, expected, *source, _number(comparison.measured), agrees)
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    """A number, or that there is none."""
    return "none" if value is None or not math.isfinite(value) else f"{value:g}"


def _index(gallery: Path) -> str:
    """The gallery's front page, from the verdicts that are there."""
    stored = {path.parent.name: path for path in gallery.glob("*/verdict.json")}
    rows, pages = [], []
    for name in _ordered(list(stored)):
        verdict = json.loads(stored[name].read_text(encoding="utf-8"))
        counts = f"{verdict['agreed']} of {verdict['compared']}"
        headline = verdict.get("headline", verdict["findings"])  # none in older verdicts
        rows.append(f"| [{name}]({name}.md) | {counts} | {headline} |")
        pages.append(name)
    return _INDEX.format(rows="\n".join(rows), pages="\n".join(pages))


def _ordered(names: Sequence[str]) -> list[str]:
    """Stored names in the order of the list of reproductions."""
    return sorted(names, key=lambda name: (max(map(name.startswith, NAMES)), _place(name), name))


def _place(name: str) -> int:
    """Position of the reproduction that a stored name belongs to."""
    matches = [position for position, known in enumerate(NAMES) if name.startswith(known)]
    return matches[0] if matches else len(NAMES)
