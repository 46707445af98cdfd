"""`finetune plugin`: plugins for workflow platforms. One module per command."""

from __future__ import annotations

import typer

from finetune.cli.plugin_describe import describe
from finetune.cli.plugin_list import list_plugins
from finetune.cli.plugin_run import run
from finetune.cli.usage import Subcommands

plugin = typer.Typer(
    cls=Subcommands,
    rich_markup_mode=None,
    help="Plugins for WIPP, CWL, Polus and Bilayers.",
    no_args_is_help=True,
    add_completion=False,
)
plugin.command("list")(list_plugins)
plugin.command()(describe)
# The parameters of a plugin look like options, and are read by the plugin.
plugin.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)(run)
