"""The plugins by name, and the formats in which they are described."""

from __future__ import annotations

from collections.abc import Callable

from finetune.errors import unknown
from finetune.plugins import bilayers, cwl, ict, wipp, workflows
from finetune.plugins.audit import audit_plugin
from finetune.plugins.definition import Plugin
from finetune.plugins.dice import dice_plugin
from finetune.plugins.fine_tune import fine_tune_plugin
from finetune.plugins.inference import inference_plugins
from finetune.plugins.metadata import About
from finetune.plugins.sources import Commands

FORMATS: dict[str, Callable[[Plugin, About], str]] = {
    "wipp": wipp.render,
    "cwl": cwl.render,
    "ict": ict.render,
    "bilayers": bilayers.render,
}


def all_plugins(commands: Commands) -> dict[str, Plugin]:
    """Define all plugins.

    Args:
        commands: the commands predict, evaluate and audit of finetune, by name.

    Returns:
        The plugins by name.
    """
    plugins = [
        *inference_plugins(commands),
        dice_plugin(commands),
        fine_tune_plugin(),
        audit_plugin(commands),
    ]
    return {plugin.name: plugin for plugin in plugins}


def find(name: str, commands: Commands) -> Plugin:
    """Find a plugin.

    Args:
        name: of the plugin.
        commands: see `all_plugins`.

    Returns:
        The plugin.

    Raises:
        RecipeError: if there is no such plugin.
    """
    plugins = all_plugins(commands)
    if name not in plugins:
        raise unknown("plugin", name, plugins)
    return plugins[name]


def describe(name: str, format: str, commands: Commands, of: About) -> str:
    """Describe a plugin or a workflow.

    Args:
        name: of the plugin or the workflow.
        format: a key of `FORMATS`; workflows exist in CWL only.
        commands: see `all_plugins`.
        of: version, author and address.

    Returns:
        The text of the description.

    Raises:
        RecipeError: if there is no such plugin or format.
    """
    plugins = all_plugins(commands)
    flows = workflows.names(plugins)
    if name not in plugins and name not in flows:
        raise unknown("plugin or workflow", name, (*plugins, *flows))
    if format not in FORMATS:
        raise unknown("format of plugins", format, FORMATS)
    if name in flows:
        if format != "cwl":
            raise unknown(f"format of workflow {name}", format, ["cwl"])
        return workflows.render(name, plugins, of)
    return FORMATS[format](plugins[name], of)
