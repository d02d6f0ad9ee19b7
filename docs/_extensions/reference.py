"""Directives whose text is taken from the code: the symbol table, and the keys of a config."""

from __future__ import annotations

import inspect

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import llr._types


class _Symbols(SphinxDirective):
    """The symbol table of ``llr._types``."""

    def run(self) -> list[nodes.Node]:
        """The table under the first line of the module's docstring."""
        _, _, table = inspect.getdoc(llr._types).partition("\n\n")
        return _parsed_rst(self, table)


def _parsed_rst(directive: SphinxDirective, text: str) -> list[nodes.Node]:
    """reStructuredText as nodes, on a page in whatever markup."""
    fenced = ["```{eval-rst}", *text.splitlines(), "```"]
    return directive.parse_text_to_nodes("\n".join(fenced))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("symbols", _Symbols)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
