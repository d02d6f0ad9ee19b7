"""A page that would fetch something from the network when it is opened fails the build."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

_log = logging.getLogger(__name__)
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|embed)\b[^>]*\bsrc=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preload|icon|preconnect))[^>]*"""
    r"""\bhref=["']?(?:https?:)?//[^"'\s>]+""",
    re.IGNORECASE,
)
_STYLE = re.compile(r"""(?:@import|url\()\s*["']?(?:https?:)?//[^"')\s]+""")


def _check(app: Sphinx, error: Exception | None) -> None:
    """Warn of every remote script, style, font or picture of the built pages."""
    if error is not None or app.builder.format != "html":
        return
    root = Path(app.outdir)
    for path in sorted([*root.rglob("*.html"), *root.rglob("*.css")]):
        pattern = _STYLE if path.suffix == ".css" else _FETCHED
        for found in pattern.findall(path.read_text()):
            _log.warning("%s is fetched from the network: %s", path.relative_to(root), found)


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at the pages once they are written."""
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
