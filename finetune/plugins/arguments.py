"""Parameters of a plugin: `--name value`, for inputs and outputs alike, as WIPP passes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cards.errors import InputError
from cards.paths import expand_user
from finetune.errors import unknown
from finetune.plugins.definition import FOLDERS, NO, YES, Input, Plugin

NULL = "null"
FLAGS = {"yes": True, "true": True, "no": False, "false": False}


def parse(plugin: Plugin, arguments: Sequence[str]) -> tuple[dict[str, Any], dict[str, Path]]:
    """Read the parameters of a plugin.

    Args:
        plugin: the plugin.
        arguments: `--name value` or `--name=value`. An empty value counts as not given, because a form sends
            it for a field that is left empty.

    Returns:
        Value of each input, None if there is none; folder of each output.

    Raises:
        InputError: if a parameter is unknown, missing, given twice, or has an invalid value.
    """
    kinds = {one.name: one.kind for one in plugin.inputs}
    pairs = _pairs(plugin, arguments)
    given = {name: value for name, value in pairs.items() if not _is_empty(value, kinds.get(name))}
    optional = {one.name for one in plugin.inputs if not one.required}
    missing = [f"--{name}" for name in plugin.names() if name not in optional and name not in given]
    if missing:
        raise InputError(f"{', '.join(missing)}: missing; plugin {plugin.name} needs a value")
    values = {
        one.name: _value(one, given[one.name]) if one.name in given else one.default for one in plugin.inputs
    }
    return values, {one.name: expand_user(given[one.name]) for one in plugin.outputs}


def _pairs(plugin: Plugin, arguments: Sequence[str]) -> dict[str, str]:
    known = plugin.names()
    pairs: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        if not word.startswith("--"):
            raise InputError(f"'{word}': parameters of a plugin have the form --name value")
        name, equals, value = word[2:].partition("=")
        if name not in known:
            raise unknown(f"parameter of plugin {plugin.name}", name, known)
        if name in pairs:
            raise InputError(f"--{name}: given twice")
        if not equals:
            value = next(words, "--")
            if value == "--" or value in {f"--{other}" for other in known}:
                raise InputError(f"--{name}: has no value")
        pairs[name] = value
    return pairs


def _is_empty(text: str, kind: str | None) -> bool:
    """Whether a form sent this for a field that is left empty.

    WIPP sends null, and makes a path of it for a folder, such as collections/null/images (WIPP-frontend,
    workflow-detail.component.ts; WIPP-backend, exportDataAsParam).
    """
    if text.strip() in ("", NULL):
        return True
    return kind in FOLDERS and NULL in Path(text).parts and not Path(text).exists()


def _value(one: Input, text: str) -> Any:
    if one.kind in FOLDERS:
        return expand_user(text)
    if one.kind == "flag":
        if text.lower() not in FLAGS:
            raise InputError(f"--{one.name}: must be {YES} or {NO}, got '{text}'")
        return FLAGS[text.lower()]
    if one.kind == "choice":
        if text not in one.choices:
            raise unknown(f"value of --{one.name}", text, one.choices)
        return text
    if one.kind in ("integer", "number"):
        return _number(one, text)
    return text


def _number(one: Input, text: str) -> int | float:
    allowed = _allowed(one)
    try:
        value = int(text) if one.kind == "integer" else float(text)
    except ValueError as error:
        raise InputError(f"--{one.name}: must be {allowed}, got '{text}'") from error
    if not math.isfinite(value) or not _is_within(value, one):
        raise InputError(f"--{one.name}: must be {allowed}, got '{text}'")
    return value


def _allowed(one: Input) -> str:
    """Allowed values in words, such as "an integer from 64 to 1024 and a multiple of 32"."""
    words = "an integer" if one.kind == "integer" else "a number"
    if one.minimum is not None and one.maximum is not None:
        words += f" from {one.minimum:g} to {one.maximum:g}"
    else:
        limits = {"≥": one.minimum, ">": one.above, "≤": one.maximum}
        words += "".join(f" {sign} {limit:g}" for sign, limit in limits.items() if limit is not None)
    return words if one.multiple_of is None else f"{words} and a multiple of {one.multiple_of:g}"


def _is_within(value: float, one: Input) -> bool:
    return (
        (one.minimum is None or value >= one.minimum)
        and (one.above is None or value > one.above)
        and (one.maximum is None or value <= one.maximum)
        and (one.multiple_of is None or value % one.multiple_of == 0)
    )
