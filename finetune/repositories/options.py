"""Options of a network that are whole numbers between limits."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from cards.errors import RecipeError
from finetune.errors import unknown

if TYPE_CHECKING:
    from torch import nn


def complete(
    name: str, options: dict[str, Any], limits: dict[str, tuple[int, int]], network: type[nn.Module]
) -> dict[str, Any]:
    """All options of a model: those given, checked, and the network's defaults of the others.

    Args:
        name: of the model.
        options: those given.
        limits: lowest and highest of each option that there is.
        network: what takes them as keyword arguments.

    Raises:
        RecipeError: if an option is unknown, no whole number, or out of its limits.
    """
    for option, value in options.items():
        if option not in limits:
            raise unknown(f"option of model {name}", option, limits)
        low, high = limits[option]
        if type(value) is not int or not low <= value <= high:
            raise RecipeError(
                f"option {option} of model {name} is a whole number from {low} to {high}, not {value!r}"
            )
    parameters = inspect.signature(network).parameters
    return {option: options.get(option, parameters[option].default) for option in limits}
