"""Sphinx configuration: built with -W, so every warning is an error."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sphinx.util.nodes import make_refnode

import llr

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "llr"
author = "The llr developers"
copyright = "2026, The llr developers"
release = version = llr.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_click",
    "sphinx_gallery.gen_gallery",
    # ours, in _extensions
    "mathml",
    "offline",
    "reference",
]
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
# Links out of the README to files that are no pages are checked by the tests.
suppress_warnings = ["config.cache", "myst.xref_missing"]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,  # a page that would fetch scripts from the network
}

html_theme = "furo"
html_title = "llr"
html_static_path = ["_static"]
html_css_files = ["llr.css"]
html_math_renderer = "mathml"
exclude_patterns = ["_build", "**/GALLERY_HEADER.rst"]


def _plain_stars_and_bars(app, what, name, obj, options, lines):
    """Shapes like ``(n, *input_shape)`` and absolute values like ``|x|`` are no markup."""
    for i, line in enumerate(lines):
        if line.lstrip().startswith((">>>", "...", "|")) or line.startswith("        "):
            continue
        parts = re.split(r"(``.*?``|:\w+:`.*?`)", line)
        parts[::2] = [
            re.sub(r"(?<![\w*\\])\*(?=\w)|(?<!\\)\|(?=\S)", lambda m: "\\" + m.group(), part)
            for part in parts[::2]
        ]
        lines[i] = "".join(parts)


def _public_name(app, env, node, contnode):
    """A reference to ``llr.NAME`` leads to the package in which the name is documented."""
    prefix, _, name = node.get("reftarget", "").rpartition(".")
    if prefix != "llr" or name not in llr.__all__:
        return None
    domain = env.get_domain("py")
    full = next((key for key in domain.objects if re.fullmatch(rf"llr\.\w+\.{name}", key)), None)
    if full is None:
        return None
    entry = domain.objects[full]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, full)


def setup(app):
    """Connect what this project needs of Sphinx."""
    app.connect("autodoc-process-docstring", _plain_stars_and_bars)
    app.connect("missing-reference", _public_name)
