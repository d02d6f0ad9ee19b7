"""Directives whose text is taken from the code: the symbol table, and the keys of a config."""

from __future__ import annotations

import inspect
import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import llr._types
from llr.config import KeyDescription, describe_keys, described_sections


class _Symbols(SphinxDirective):
    """The symbol table of ``llr._types``."""

    def run(self) -> list[nodes.Node]:
        """The table under the first line of the module's docstring."""
        _, _, table = inspect.getdoc(llr._types).partition("\n\n")
        return _parsed_rst(self, table)


class _ConfigKeys(SphinxDirective):
    """A table of the keys of each section of a config."""

    def run(self) -> list[nodes.Node]:
        """A section of the page for each section of a config."""
        lines: list[str] = []
        for name, text in described_sections().items():
            lines += [f"## Section `{name}`", "", text, ""]
            for key in describe_keys(name):
                lines += _entry(key)
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def _entry(key: KeyDescription) -> list[str]:
    """A key with its meaning, default, allowed values and an example."""
    return [
        f"```{{describe}} {key.key}",
        _plain(key.meaning),
        "",
        f"- Default: {_plain(key.default)}",
        f"- Allowed: {_plain(key.allowed)}",
        f"- Example: `{key.key}: {key.example}`",
        "```",
        "",
    ]


def _plain(text: str) -> str:
    """Text in which nothing is markup."""
    return re.sub(r"([\\`*_\[\]<>^$#|])", r"\\\1", text)


def _parsed_rst(directive: SphinxDirective, text: str) -> list[nodes.Node]:
    """reStructuredText as nodes, on a page in whatever markup."""
    fenced = ["```{eval-rst}", *text.splitlines(), "```"]
    return directive.parse_text_to_nodes("\n".join(fenced))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("symbols", _Symbols)
    app.add_directive("config-keys", _ConfigKeys)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
