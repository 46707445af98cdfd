"""Sphinx configuration. Build with: uv run sphinx-build -W --keep-going -b html docs docs/_build."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

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
