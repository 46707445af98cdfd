"""Targets: how a label image becomes maps to learn, and maps a label image again. One file a target."""

from __future__ import annotations

import inspect
from typing import Any

from cards.errors import RecipeError
from finetune.errors import unknown
from finetune.targets.base import Target
from finetune.targets.boundary import Boundary
from finetune.targets.flows import Flows
from finetune.targets.foreground import Foreground
from finetune.targets.foreground_boundary import ForegroundBoundary
from finetune.targets.queries import Queries
from finetune.targets.rays import Rays

__all__ = ["AUTO", "TARGETS", "Target", "build_target"]

AUTO = "auto"  # the value of an option that is left open, and chosen on validation images

TARGETS: dict[str, type[Target]] = {
    "foreground": Foreground,
    "boundary": Boundary,
    "foreground_boundary": ForegroundBoundary,
    "flows": Flows,
    "rays": Rays,
    "queries": Queries,
}


def build_target(name: str, options: dict[str, Any] | None = None) -> Target:
    """Build a target by its name.

    Args:
        name: a key of `TARGETS`.
        options: its keyword arguments. `auto` leaves one of its `choices` open, at its default for now.

    Raises:
        RecipeError: if there is no such target, it has no such option, or an option is impossible.
    """
    if name not in TARGETS:
        raise unknown("target", name, TARGETS)
    options = options or {}
    known = inspect.signature(TARGETS[name]).parameters
    for option in options:
        if option not in known:
            raise unknown(f"option of target '{name}'", option, known)
    left_open = [option for option, value in options.items() if value == AUTO]
    for option in left_open:
        if option not in TARGETS[name].choices:
            raise RecipeError(
                f"target '{name}': {option} cannot be auto; "
                f"{', '.join(TARGETS[name].choices) or 'none of its options'} can"
            )
    try:
        return TARGETS[name](**{option: value for option, value in options.items() if value != AUTO})
    except (TypeError, ValueError) as error:
        raise RecipeError(f"target '{name}': {error}") from error
