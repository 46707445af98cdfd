"""Description for Bilayers (github.com/bilayer-containers/bilayers, src/bilayers/schema.yaml at a33af22)."""

from __future__ import annotations

from typing import Any

from finetune.plugins.definition import FOLDERS, Input, Output, Plugin, allowed_values, default_text
from finetune.plugins.metadata import ORGANIZATION, About, command, image
from finetune.plugins.yaml_text import dump

TYPES = {"integer": "integer", "number": "float", "text": "textbox", "choice": "dropdown", "flag": "dropdown"}
INPUTS = {"collection": "image", "model": "file"}
OUTPUTS = {"collection": "image", "model": "file", "logs": "file", "table": "measurement"}
SUBTYPES = {"imageDir": ["grayscale", "color"], "testImageDir": ["grayscale", "color"]}
LABELS = ["label"]
"""Subtype of every other collection."""

PLATFORM = "linux/amd64"


def tool(plugin: Plugin, of: About) -> dict[str, Any]:
    """Describe a plugin.

    Args:
        plugin: the plugin.
        of: version.

    Returns:
        The content of config.yaml.
    """
    return {
        "citations": [
            {
                "name": "finetune",
                "license": "MIT",
                "description": "Fine-tunes, runs and audits public segmentation models.",
            }
        ],
        "docker_image": {
            "org": ORGANIZATION,
            "name": image(plugin),
            "tag": of.version,
            "platform": PLATFORM,
        },
        "algorithm_folder_name": plugin.name,
        "exec_function": {"name": "generate_cli_command", "cli_command": " ".join(command(plugin))},
        "inputs": [_input(one) for one in plugin.inputs if one.kind in FOLDERS],
        "outputs": [_output(one) for one in plugin.outputs],
        "parameters": [_parameter(one) for one in plugin.inputs if one.kind not in FOLDERS],
    }


def render(plugin: Plugin, of: About) -> str:
    """Write the description of a plugin.

    Args:
        plugin: the plugin.
        of: version.

    Returns:
        YAML.
    """
    return dump(tool(plugin, of))


def _input(one: Input) -> dict[str, Any]:
    kind = INPUTS[one.kind]
    return {
        "name": one.name,
        "type": kind,
        "label": one.label,
        "description": one.help,
        "cli_tag": f"--{one.name}",
        "default": "directory",
        "optional": not one.required,
        "format": ["ome.tiff", "tiff", "png"] if kind == "image" else ["directory"],
        "unique_string": [""],  # every file of the folder belongs to the input
        "file_count": "multiple",
        "section_id": one.section.lower(),
        "mode": "beginner",
        **(_picture(SUBTYPES.get(one.name, LABELS)) if kind == "image" else {}),
    }


def _output(one: Output) -> dict[str, Any]:
    kind = OUTPUTS[one.kind]
    formats = {"image": ["ome.tiff"], "measurement": ["csv"], "file": ["directory"]}
    return {
        "name": one.name,
        "type": kind,
        "label": one.label,
        "description": one.help,
        "cli_tag": f"--{one.name}",
        "default": "directory",
        "optional": False,
        "format": formats[kind],
        "unique_string": [""],
        "file_count": "multiple",
        "section_id": "results",
        "mode": "beginner",
        **(_picture(LABELS) if kind == "image" else {}),
    }


def _picture(subtypes: list[str]) -> dict[str, Any]:
    return {"subtype": subtypes, "depth": False, "timepoints": False, "tiled": True, "pyramidal": False}


def _parameter(one: Input) -> dict[str, Any]:
    default, values = default_text(one), allowed_values(one)
    return {
        "name": one.name,
        "type": TYPES[one.kind],
        "label": one.label,
        "description": one.help,
        "cli_tag": f"--{one.name}",
        "default": "" if default is None else default,
        "optional": not one.required,
        "section_id": one.section.lower(),
        "mode": "advanced" if one.condition else "beginner",
        **(
            {"options": [{"label": value, "value": value} for value in values], "multiselect": False}
            if values
            else {}
        ),
    }
