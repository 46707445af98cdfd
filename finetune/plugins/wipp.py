"""Manifest for WIPP, valid against both schemas of NIST.

2020: WIPP-Plugins-base-templates, plugin-manifest/schema; 2023: fair-chain-compute-container,
schema/manifest.schema.json. Only types that both know are used.
"""

from __future__ import annotations

import json
from typing import Any

from finetune.plugins.definition import Input, Plugin, allowed_values, default_text
from finetune.plugins.metadata import About, command, container

INPUTS = {
    "collection": "collection",
    "model": "tensorflowModel",
    "text": "string",
    "integer": "integer",
    "number": "number",
    "choice": "enum",
    "flag": "enum",
}
OUTPUTS = {
    "collection": "collection",
    "model": "tensorflowModel",
    "logs": "tensorboardLogs",
    "table": "csvCollection",
}
"""WIPP's types by ours. `tensorflowModel` is WIPP's name for the folder of a model of any framework."""


def manifest(plugin: Plugin, of: About) -> dict[str, Any]:
    """Describe a plugin for WIPP.

    Args:
        plugin: the plugin.
        of: version, author and address.

    Returns:
        The content of plugin.json.
    """
    return {
        "name": plugin.name,
        "version": of.version,
        "title": plugin.title,
        "description": plugin.description,
        "author": of.author,
        **({"repository": of.repository} if of.repository else {}),
        "containerId": container(plugin, of),
        "baseCommand": command(plugin),
        "operationType": list(plugin.operations),
        "inputs": [_input(one) for one in plugin.inputs],
        "outputs": [
            {
                "name": one.name,
                "type": OUTPUTS[one.kind],
                "description": one.help,
                **({"options": dict(one.options)} if one.options else {}),
            }
            for one in plugin.outputs
        ],
        "ui": [_fieldsets(plugin), *(_field(one) for one in plugin.inputs)],
        "resourceRequirements": {"ramMin": plugin.memory, "coresMin": plugin.cores, "gpu": False},
    }


def render(plugin: Plugin, of: About) -> str:
    """Write the manifest of a plugin.

    Args:
        plugin: the plugin.
        of: version, author and address.

    Returns:
        JSON.
    """
    return json.dumps(manifest(plugin, of), indent=2, ensure_ascii=False) + "\n"


def _input(one: Input) -> dict[str, Any]:
    values = allowed_values(one)
    return {
        "name": one.name,
        "type": INPUTS[one.kind],
        "description": one.help,
        "required": one.required,
        **({"options": {"values": list(values)}} if values else {}),
    }


def _field(one: Input) -> dict[str, Any]:
    default = default_text(one)
    condition = f"model.inputs.{one.condition[0]}=='{one.condition[1]}'" if one.condition else None
    return {
        "key": f"inputs.{one.name}",
        "title": one.label,
        "description": one.help,
        **({"condition": condition} if condition else {}),
        **({"default": default} if default is not None else {}),
    }


def _fieldsets(plugin: Plugin) -> dict[str, Any]:
    sections = plugin.sections()
    return {
        "key": "fieldsets",
        "fieldsets": [
            {"title": title, "fields": [one.name for one in inputs]} for title, inputs in sections.items()
        ],
    }
