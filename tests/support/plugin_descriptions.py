"""A program that prints descriptions of plugins as JSON: pairs of a plugin and a format are its arguments."""

from __future__ import annotations

import json
import sys

from plugin_inputs import ABOUT


def main() -> None:
    """Describe each pair, such as "audit cwl"."""
    from finetune.cli.plugin_commands import COMMANDS
    from finetune.plugins.registry import describe

    print(json.dumps({pair: describe(*pair.split(), COMMANDS, ABOUT) for pair in sys.argv[1:]}))
