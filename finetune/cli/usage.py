"""Errors of the command line itself, such as an unknown option: one line instead of typer's four."""

from __future__ import annotations

import typer


def describe_usage_error(error: typer.TyperException) -> str:
    """Word an error of typer like every other error of finetune.

    Args:
        error: an unknown command or option, a missing argument, or a value of the wrong type. A command that
            consists of others and is called without arguments raises its help as an error.

    Returns:
        The help, or one line: what is wrong, and the command that lists what is allowed.
    """
    message = error.format_message().strip()
    if message.startswith("Usage: "):
        return message
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "finetune"
    message = message.removesuffix(".").replace("Value error, ", "").replace("(Possible", "(possible")
    message = f"{message[:1].lower()}{message[1:]}"
    return f"finetune: {message}{' See' if message.endswith('?') else '; see'} `{command} --help`"
