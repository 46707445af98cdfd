"""Recipes as text, each value with its reason as a comment."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from ruamel.yaml import YAML

WIDTH = 110  # characters of a comment line


class Choice(NamedTuple):
    """A value of a recipe and its reason.

    Attributes:
        key: such as "model.name".
        value: of the key.
        reason: why it has this value; None for no comment.
    """

    key: str
    value: Any
    reason: str | None = None


def render_recipe(choices: Sequence[Choice], header: Sequence[str] = ()) -> str:
    """Write choices as a recipe.

    Args:
        choices: keys of one section follow each other.
        header: comment at the top, one paragraph per item.

    Returns:
        YAML, ending in a newline.
    """
    lines = [line for paragraph in header for line in _comment(paragraph, "")]
    section = None
    for choice in choices:
        head, _, key = choice.key.partition(".")
        if head != section:
            section = head
            lines.append(f"{head}:")
        lines += _comment(choice.reason, "  ") if choice.reason else []
        lines.append(f"  {key}: {_value(choice.value)}")
    return "\n".join(lines) + "\n"


def _comment(text: str, indent: str) -> list[str]:
    if not text:
        return ["#"]
    wrapped = textwrap.wrap(text, WIDTH - len(indent) - 2, break_long_words=False, break_on_hyphens=False)
    return [f"{indent}# {line}" for line in wrapped]


def _value(value: Any) -> str:
    """A value as YAML on one line."""
    text = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style, writer.width, writer.allow_unicode = True, 10**6, True
    writer.dump({"value": value}, text)
    return text.getvalue().strip()[1:-1].partition(":")[2].strip()
