"""Inputs made from the options of a command or the keys of a recipe: defaults and limits exist once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from finetune.plugins.definition import Input, InputKind

Commands = Mapping[str, Callable[..., None]]
"""Commands of finetune by name. The command line passes them in, because it lies above the plugins."""

KINDS: dict[type, InputKind] = {bool: "flag", int: "integer", float: "number", str: "text"}


def from_command(
    command: Callable[..., None],
    parameter: str,
    *,
    name: str,
    label: str,
    section: str,
    help: str | None = None,
) -> Input:
    """Make an input from an argument or option of a command.

    Args:
        command: function with typer's annotations.
        parameter: name of its parameter.
        name: of the input.
        label: of the input.
        section: of the input.
        help: of the input; that of the command by default.

    Returns:
        The input, with the type and default of the parameter.
    """
    import inspect

    annotation, option = get_args(get_type_hints(command, include_extras=True)[parameter])
    kind, choices = _kind(annotation)
    default = inspect.signature(command).parameters[parameter].default
    return Input(
        name,
        kind,
        label,
        help or option.help,
        section,
        default=default.value if isinstance(default, Enum) else default,
        choices=choices,
    )


def from_key(
    model: type[BaseModel],
    key: str,
    *,
    name: str,
    label: str,
    section: str,
    help: str | None = None,
    choices: tuple[str, ...] = (),
    default: str | None = None,
    condition: tuple[str, str] | None = None,
) -> Input:
    """Make an input from a key of a recipe.

    Args:
        model: pydantic model of the section of the recipe, or of options.
        key: name of its field.
        name: of the input.
        label: of the input.
        section: of the input.
        help: of the input; the description of the field by default.
        choices: allowed values of a text that has few.
        default: default of a field that has none.
        condition: of the input.

    Returns:
        The input, with the type, default and limits of the field.
    """
    info = model.model_fields[key]
    kind, stated = _kind(info.annotation)
    minimum, above, maximum, multiple_of = (
        next((getattr(limit, name) for limit in info.metadata if hasattr(limit, name)), None)
        for name in ("ge", "gt", "le", "multiple_of")
    )
    return Input(
        name,
        "choice" if choices else kind,
        label,
        help or info.description or "",
        section,
        default=default if info.default in (None, PydanticUndefined) else info.default,
        choices=choices or stated,
        minimum=minimum,
        above=above,
        maximum=maximum,
        multiple_of=multiple_of,
        condition=condition,
    )


def _kind(annotation: Any) -> tuple[InputKind, tuple[str, ...]]:
    """Kind of an input and its allowed values, from an annotation such as `float | None` or a Literal."""
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    if get_origin(annotation) is Literal:
        return "choice", get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "choice", tuple(member.value for member in annotation)
    return KINDS[annotation], ()
