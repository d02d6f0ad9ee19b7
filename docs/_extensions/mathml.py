"""Formulas as MathML: browsers draw them without a script and without a network."""

from __future__ import annotations

import logging as standard_logging
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont
from math_core import LatexToMathML
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

# Letters, Greek, punctuation, arrows, operators, technical signs, mathematical alphabets.
BLOCKS = ((0x20, 0x3FF), (0x2000, 0x23FF), (0x27C0, 0x2AFF), (0x1D400, 0x1D7FF))

standard_logging.getLogger("fontTools").setLevel(standard_logging.WARNING)
_convert = LatexToMathML()
_log = logging.getLogger(__name__)


def _mathml(node: nodes.math | nodes.math_block, *, display: bool) -> str:
    """A formula as MathML; one that cannot be read is a warning, and so an error of the build."""
    try:
        return _convert.convert_with_local_state(node.astext(), displaystyle=display)
    except Exception as error:  # its kinds of error share no base
        _log.warning("cannot read the formula %r: %s", node.astext(), error, location=node)
        return ""


def _visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(_mathml(node, display=False))
    raise nodes.SkipNode


def _visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{_mathml(node, display=True)}</div>\n')
    raise nodes.SkipNode


def _font_file() -> Path:
    """The whole font, in a package that is not imported: nothing of it is used but the file."""
    package = find_spec("ziamath")
    if package is None or package.origin is None:
        raise ExtensionError("ziamath must be installed: pip install 'llr[docs]'")
    return Path(package.origin).parent / "fonts" / "STIXTwoMath-Regular.ttf"


def _copy_font(app: Sphinx, error: Exception | None) -> None:
    """The glyphs that formulas use, from STIX Two Math (SIL Open Font License)."""
    if error is not None or app.builder.format != "html":
        return
    font = TTFont(_font_file())
    options = subset.Options(layout_features=["*"], flavor="woff", name_IDs=[0, 1, 13, 14])
    cut = subset.Subsetter(options)
    cut.populate(unicodes=[code for low, high in BLOCKS for code in range(low, high + 1)])
    cut.subset(font)
    font.flavor = "woff"
    font.save(Path(app.outdir) / "_static" / "stix-two-math.woff")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer; ``html_math_renderer = "mathml"`` selects it."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    app.connect("build-finished", _copy_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
