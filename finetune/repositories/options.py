"""Options of networks: validate those that a recipe sets and add the defaults of the others."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from finetune.utils.options import build_options


def complete(name: str, options: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Validate the options of a model and add defaults.

    Args:
        name: of the model, for error messages.
        options: values by option name, as a recipe or a checkpoint states them.
        model: pydantic model of the options.

    Returns:
        All options; values that were given are returned as they were given.

    Raises:
        InputError: if an option is unknown, or its value is of the wrong type or out of range.
    """
    return build_options(model, options, f"model {name}").model_dump() | options
