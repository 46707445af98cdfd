"""Options of networks: validate those that a recipe sets and add the defaults of the others."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from finetune.utils.options import Options, build_options

GROUPS = 8  # of the decoder's group normalization (`finetune.networks.encoder_decoder`)


class DecoderOptions(Options):
    """Options of the lightweight decoder."""

    width: int = Field(64, ge=8, le=512, multiple_of=GROUPS, description="channels of the decoder")


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
