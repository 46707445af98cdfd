"""Tool descriptions in the Common Workflow Language, version 1.2 (https://www.commonwl.org/v1.2)."""

from __future__ import annotations

import re
from typing import Any

from finetune.plugins.definition import Input, Plugin, allowed_values, default_text
from finetune.plugins.metadata import About, command, container
from finetune.plugins.yaml_text import dump

VERSION = "v1.2"
TYPES = {
    "collection": "Directory",
    "model": "Directory",
    "text": "string",
    "integer": "int",
    "number": "double",
    "choice": "string",
    "flag": "string",
}
SYMBOL = re.compile(r"[A-Za-z0-9_.-]+")
"""Symbols of an enumeration are identifiers in CWL: `/`, `#` and `:` would be parts of an address."""


def tool(plugin: Plugin, of: About, prefix: str = "") -> dict[str, Any]:
    """Describe a plugin as a command-line tool.

    Args:
        plugin: the plugin.
        of: version and author.
        prefix: start of the names of output folders, which differ within a workflow.

    Returns:
        The content of a CWL file, but for `cwlVersion`.
    """
    return {
        "class": "CommandLineTool",
        "label": plugin.title,
        "doc": plugin.description,
        "baseCommand": command(plugin),
        # Under hints, not requirements, so that the tool also runs where finetune is installed.
        "hints": {
            "DockerRequirement": {"dockerPull": container(plugin, of)},
            "ResourceRequirement": {"ramMin": plugin.memory, "coresMin": plugin.cores},
            **({"NetworkAccess": {"networkAccess": True}} if plugin.network else {}),
        },
        "inputs": {one.name: _input(one) for one in plugin.inputs},
        "arguments": [
            {"prefix": f"--{one.name}", "valueFrom": f"{prefix}{one.name}"} for one in plugin.outputs
        ],
        "outputs": {
            one.name: {"type": "Directory", "doc": one.help, "outputBinding": {"glob": f"{prefix}{one.name}"}}
            for one in plugin.outputs
        },
    }


def render(plugin: Plugin, of: About) -> str:
    """Write the tool description of a plugin.

    Args:
        plugin: the plugin.
        of: version and author.

    Returns:
        YAML.
    """
    return dump({"cwlVersion": VERSION, **tool(plugin, of)})


def type_of(one: Input) -> Any:
    """CWL type of an input.

    Args:
        one: an input.

    Returns:
        Name of a type, or an enumeration; optional unless a value is required.
    """
    values = allowed_values(one)
    if values and all(SYMBOL.fullmatch(value) for value in values):
        symbols = {"type": "enum", "symbols": list(values)}
        return symbols if one.required else ["null", symbols]
    return TYPES[one.kind] + ("" if one.required else "?")


def doc(one: Input) -> str:
    """Help of an input, with the values that its type does not state.

    Args:
        one: an input.

    Returns:
        The text.
    """
    values = allowed_values(one)
    stated = all(SYMBOL.fullmatch(value) for value in values)
    return one.help if stated else f"{one.help} One of: {', '.join(values)}."


def _input(one: Input) -> dict[str, Any]:
    default = default_text(one)
    return {
        "type": type_of(one),
        "label": one.label,
        "doc": doc(one),
        **({"default": default} if default is not None else {}),
        "inputBinding": {"prefix": f"--{one.name}"},
    }
