"""`finetune plugin list`."""

from __future__ import annotations

from typing import Annotated

import typer

from finetune.cli.plugin_commands import COMMANDS


def list_plugins(
    extras: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Print only the extras of finetune that this plugin needs, separated by commas.",
        ),
    ] = None,
) -> None:
    """List the plugins, and the workflows that combine them."""
    from finetune.cli.console import print_table
    from finetune.plugins.registry import all_plugins, find
    from finetune.plugins.workflows import names

    if extras is not None:
        print(",".join(find(extras, COMMANDS).extras))
        return
    plugins = all_plugins(COMMANDS)
    rows = [(name, "plugin", plugin.title) for name, plugin in plugins.items()]
    rows += [(name, "workflow (CWL)", " → ".join(steps)) for name, steps in names(plugins).items()]
    print_table(("name", "kind", "title"), rows)
