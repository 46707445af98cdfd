"""`finetune plugin run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from finetune.cli.plugin_commands import COMMANDS

if TYPE_CHECKING:
    from finetune.plugins.definition import Plugin

USAGE = "Usage: finetune plugin run NAME --parameter value ..."


def run(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME [--PARAMETER VALUE]...", help="A plugin and its parameters."),
    ] = None,
) -> None:
    """Run a plugin.

    Every parameter is `--name value`, outputs included. `finetune plugin run NAME --help` lists the
    parameters. Inputs are only read. If an error ends the plugin, its outputs are empty.
    """
    from cards.errors import InputError
    from finetune.plugins.audit import BrokenClaim
    from finetune.plugins.registry import find
    from finetune.plugins.run import run as run_plugin

    name, *parameters = words or ["--help"]
    if name == "--help":
        print(f"{USAGE}\n\n`finetune plugin list` lists the plugins.")
        return
    if name.startswith("-"):
        raise InputError(f"'{name}': name a plugin first; `finetune plugin list` lists the plugins")
    plugin = find(name, COMMANDS)
    if "--help" in parameters:
        _help(plugin)
        return
    try:
        run_plugin(plugin, parameters)
    except BrokenClaim as broken:
        raise typer.Exit(1) from broken


def _help(plugin: Plugin) -> None:
    from finetune.cli.console import print_line, print_table
    from finetune.plugins.definition import allowed_values, default_text

    print_line(USAGE.replace("NAME", plugin.name))
    print_line()
    print_line(plugin.description)
    rows = []
    for one in plugin.inputs:
        default = default_text(one)
        stated = "required" if one.required else "" if default is None else str(default)
        rows.append((f"--{one.name}", stated, ", ".join(allowed_values(one)) or one.kind, one.help))
    rows += [(f"--{one.name}", "required", "output folder", one.help) for one in plugin.outputs]
    print_table(("parameter", "default", "values", "meaning"), rows)
