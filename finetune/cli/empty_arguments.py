"""Empty arguments of a command, which come from variables of a script that are not set."""

from __future__ import annotations

from cards.errors import InputError

OPTIONAL = {"--save", "--dask"}  # options that are empty by default


def check_not_empty(arguments: list[str]) -> None:
    """Refuse empty arguments: an empty path would mean the current folder.

    `finetune plugin` takes them: WIPP passes every parameter, those that are not set as empty text.

    Args:
        arguments: of the command line, without the name of the program.

    Raises:
        InputError: if an argument is empty.
    """
    if arguments[:1] == ["plugin"]:
        return
    for index, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if equals and option.startswith("--"):
            before = option
        else:
            before, value = arguments[index - 1] if index else "", argument
        if not value and before not in OPTIONAL:
            where = before if before.startswith("-") else f"argument {index + 1}"
            raise InputError(f"{where}: is empty; name a value, or set the variable that your script uses")
