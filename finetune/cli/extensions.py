"""Commands of other packages, from the entry-point group `finetune.commands`.

[project.entry-points."finetune.commands"]
count = "my_package.commands:count"

The object is a function with typer's annotations, like the commands of finetune. Its module is imported only
when the command is called, so that no package slows `finetune --help`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup

from cards.errors import InputError
from finetune.cli.usage import usage_errors
from finetune.utils.registration import describe_entry_point, load_entry_point, providers

GROUP = "finetune.commands"


class ExtensibleGroup(TyperGroup):
    """The commands of finetune, followed by those of other packages."""

    @cached_property
    def extensions(self) -> dict[str, EntryPoint]:
        """Commands of other packages by name.

        Raises:
            InputError: if a name belongs to another command.
        """
        found: dict[str, EntryPoint] = {}
        for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
            if entry.name in self.commands or entry.name in found:
                raise InputError(f"{describe_entry_point(entry)}: the name is taken; uninstall the package")
            found[entry.name] = entry
        return found

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Parse what comes before the command, as typer does; see `usage_errors`."""
        with usage_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Parse the arguments of the command and call it, as typer does; see `usage_errors`."""
        with usage_errors(ctx):
            return super().invoke(ctx)

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of all commands.

        Args:
            ctx: click's context.

        Returns:
            The commands of finetune in the order of their registration, then the others by name.
        """
        return [*super().list_commands(ctx), *self.extensions]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Find a command by name, without importing the module of another package.

        Args:
            ctx: click's context.
            cmd_name: the name.

        Returns:
            The command. One of another package is a placeholder for the list of commands. None if there is no
            such command.
        """
        if cmd_name in self.commands or cmd_name not in self.extensions:
            return super().get_command(ctx, cmd_name)
        provider = " ".join(providers([self.extensions[cmd_name]])) or "another package"
        return _command(cmd_name, lambda: None, f"Command of the package {provider}.")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command to call, and import it if it is one of another package.

        Args:
            ctx: click's context.
            args: name of the command, then its arguments.

        Returns:
            Name, command and arguments.

        Raises:
            InputError: if the command cannot be imported, or is not a function.
        """
        name = args[0]
        if name not in self.commands and name in self.extensions:
            entry = self.extensions[name]
            function = load_entry_point(entry)
            if not callable(function):
                raise InputError(f"{describe_entry_point(entry)}: {function!r} is not a function")
            return name, _command(name, function), args[1:]
        return super().resolve_command(ctx, args)


def _command(name: str, function: Callable[..., Any], help: str | None = None) -> Any:
    app = typer.Typer(add_completion=False)
    app.command(name, help=help)(function)
    return typer.main.get_command(app)
