"""`finetune plugin list`."""

from __future__ import annotations

from finetune.cli.plugin_commands import COMMANDS


def list_plugins() -> None:
    """List the plugins, and the workflows that combine them."""
    from finetune.cli.console import print_table
    from finetune.plugins.registry import all_plugins
    from finetune.plugins.workflows import names

    plugins = all_plugins(COMMANDS)
    rows = [(name, "plugin", plugin.title) for name, plugin in plugins.items()]
    rows += [(name, "workflow (CWL)", " → ".join(name.rsplit("-", 1))) for name in names(plugins)]
    print_table(("name", "kind", "title"), rows)
