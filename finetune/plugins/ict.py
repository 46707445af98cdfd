"""Interoperable Computational Tool, specification 1.0.0, as the plugins of Polus have it (ict.yaml).

Fields and types: the files ict.yaml of github.com/PolusAI/image-tools at 983ea8b.
"""

from __future__ import annotations

from typing import Any

from finetune.plugins.definition import FOLDERS, Input, Output, Plugin, allowed_values, default_text
from finetune.plugins.metadata import ORGANIZATION, UNKNOWN_ADDRESS, About, command, container
from finetune.plugins.wipp import INPUTS, OUTPUTS
from finetune.plugins.yaml_text import dump

VERSION = "1.0.0"
AUTHOR = "Finetune Maintainers"  # the specification wants two words
TYPES = {"integer": "number", "number": "number"}
FIELDS = {"integer": "number", "number": "number", "text": "text", "choice": "select", "flag": "select"}


def tool(plugin: Plugin, of: About) -> dict[str, Any]:
    """Describe a plugin.

    Args:
        plugin: the plugin.
        of: version and address.

    Returns:
        The content of ict.yaml.
    """
    address = of.repository or UNKNOWN_ADDRESS
    return {
        "specVersion": VERSION,
        "name": f"{ORGANIZATION}/{plugin.name}",
        "version": of.version,
        "container": container(plugin, of),
        "entrypoint": " ".join(command(plugin)),
        "title": plugin.title,
        "description": plugin.description,
        "author": [AUTHOR],
        "contact": address,
        "repository": address,
        "inputs": [_input(one) for one in plugin.inputs],
        "outputs": [
            {
                "name": one.name,
                "required": True,
                "description": one.help,
                "type": "path",
                "format": [OUTPUTS[one.kind]],
            }
            for one in plugin.outputs
        ],
        "ui": [*(_field(one) for one in plugin.inputs), *(_folder(one) for one in plugin.outputs)],
    }


def render(plugin: Plugin, of: About) -> str:
    """Write the description of a plugin.

    Args:
        plugin: the plugin.
        of: version and address.

    Returns:
        YAML.
    """
    return dump(tool(plugin, of))


def _input(one: Input) -> dict[str, Any]:
    default = default_text(one)
    return {
        "name": one.name,
        "required": one.required,
        "description": one.help,
        "type": "path" if one.kind in FOLDERS else TYPES.get(one.kind, "string"),
        "format": [INPUTS[one.kind]],
        **({"defaultValue": default} if default is not None else {}),
    }


def _field(one: Input) -> dict[str, Any]:
    values = allowed_values(one)
    default = None if values or one.kind in FOLDERS else default_text(one)  # a selection takes none
    condition = f"inputs.{one.condition[0]}=='{one.condition[1]}'" if one.condition else None
    return {
        "key": f"inputs.{one.name}",
        "title": one.label,
        "description": one.help,
        "type": "path" if one.kind in FOLDERS else FIELDS[one.kind],
        **({"fields": list(values)} if values else {}),
        **({"default": default} if default is not None else {}),
        **({"integer": True} if one.kind == "integer" else {}),
        **({"condition": condition} if condition else {}),
    }


def _folder(one: Output) -> dict[str, Any]:
    return {"key": f"outputs.{one.name}", "title": one.label, "description": one.help, "type": "path"}
