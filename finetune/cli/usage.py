"""Errors of the command line itself, such as an unknown option: one line instead of typer's four."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from cards.errors import InputError


@contextmanager
def usage_errors(parent: Any = None) -> Iterator[None]:
    """Word errors of typer like every other error of finetune.

    Args:
        parent: context of the group whose command is called. An option without its value is reported without
            the context of the command.

    Yields:
        While a command line is parsed and its command called.

    Raises:
        InputError: for an unknown command or option, a missing argument, or a value of the wrong type. It
            says what is wrong, and which command lists what is allowed.
    """
    try:
        yield
    except typer.TyperException as error:
        message = error.format_message().strip()
        if message.startswith("Usage: "):  # the help of a command that was called without arguments
            raise
        context = getattr(error, "ctx", None)
        command = context.command_path if context else _called(parent)
        message = message.removesuffix(".").replace("Value error, ", "").replace("(Possible", "(possible")
        message = f"{message[:1].lower()}{message[1:]}"
        hint = f"{' See' if message.endswith('?') else '; see'} `{command} --help`"
        raise InputError(f"{message}{hint}") from error


class Subcommands(TyperGroup):
    """Commands below a command, such as those of `finetune card`."""

    def invoke(self, ctx: Any) -> Any:
        """Parse the arguments of the command and call it, as typer does; see `usage_errors`."""
        with usage_errors(ctx):
            return super().invoke(ctx)


def _called(parent: Any) -> str:
    return f"{parent.command_path} {parent.invoked_subcommand or ''}".strip() if parent else "finetune"
