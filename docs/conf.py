"""Sphinx configuration. Build with: uv run sphinx-build -W --keep-going -b html docs docs/_build."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

project = "finetune"
author = "The finetune maintainers"
release = version = installed_version("finetune")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "generated_pages",
]
exclude_patterns = ["_build", "_generated"]  # generated pages are included by others
html_theme = "furo"
html_title = f"finetune {release}"
html_show_copyright = False
highlight_language = "text"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Source", "notes_style")]
suppress_warnings = ["ref.python"]  # two classes of one name, such as the record's Model and the predictor


def escape_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Convert a docstring, which is plain text with `code`, to reStructuredText, in place."""
    parts = re.split(r"(`[^`]+`)", "\n".join(lines))
    for index, part in enumerate(parts):
        if index % 2:
            continues = parts[index + 1][:1].isalnum()
            parts[index] = f"`{part}`" + ("\\ " if continues else "")
        else:
            parts[index] = re.sub(r"(?<=\w)_(?!\w)", r"\\_", part.replace("*", "\\*"))
    lines[:] = "".join(parts).split("\n")


def setup(app: Any) -> None:
    """Convert docstrings before napoleon reads them."""
    app.connect("autodoc-process-docstring", escape_docstring, priority=400)
