"""The entry point of all plugins: parameters in, folders out."""

from __future__ import annotations

from collections.abc import Sequence

from cards.errors import InputError
from finetune.plugins.arguments import parse
from finetune.plugins.definition import FOLDERS, Job, Plugin
from finetune.plugins.messages import in_terms_of
from finetune.plugins.outputs import staged
from finetune.plugins.progress import log


def run(plugin: Plugin, arguments: Sequence[str]) -> None:
    """Run a plugin.

    Args:
        plugin: the plugin.
        arguments: `--name value` for each parameter, outputs included.

    Raises:
        InputError: if a parameter, an image or the model cannot be used. No output holds anything then.
    """
    values, outputs = parse(plugin, arguments)
    inputs = {one.name: values[one.name] for one in plugin.inputs if one.kind in FOLDERS and values[one.name]}
    for name, folder in inputs.items():
        if not folder.is_dir():
            raise InputError(f"--{name}: {folder}: no such folder")
    with staged(outputs, inputs) as (contents, scratch):
        log(f"plugin {plugin.name} started")
        with in_terms_of(inputs, scratch):
            plugin.run(Job(values, contents, scratch, log))
    log(f"plugin {plugin.name} finished")
