"""`finetune card`: commands that read model cards and run records. One module per command."""

from __future__ import annotations

import typer

from finetune.cli.card_bom import bom
from finetune.cli.card_croissant import croissant
from finetune.cli.card_diff import diff
from finetune.cli.card_methods import methods
from finetune.cli.card_render import render
from finetune.cli.card_show import show
from finetune.cli.card_table import table
from finetune.cli.usage import Subcommands

COMMANDS = (show, diff, table, methods, render, bom, croissant)

card = typer.Typer(
    cls=Subcommands,
    rich_markup_mode=None,
    help="Show, compare and render the model cards of runs.",
    no_args_is_help=True,
    add_completion=False,
)
for command in COMMANDS:
    card.command()(command)
