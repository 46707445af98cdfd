"""YAML text of nested dictionaries, in their order."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any


def dump(content: Mapping[str, Any]) -> str:
    """Write YAML.

    Args:
        content: dictionaries, lists and values.

    Returns:
        The text.
    """
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 100
    yaml.allow_unicode = True
    text = io.StringIO()
    yaml.dump(dict(content), text)
    return text.getvalue()
