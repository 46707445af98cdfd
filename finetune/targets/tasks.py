"""Tasks that `model.target` selects: automatic (a target) or interactive segmentation (prompts)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cards.base import TaskName
from finetune.targets.prompt_options import PROMPTS, Prompts

if TYPE_CHECKING:
    from pydantic import BaseModel

# Values of `model.target` that select another task than automatic segmentation.
TASK_OF_TARGET: dict[str, TaskName] = {PROMPTS: "interactive"}

# Options (`model.target_options`) of those values.
OPTIONS_OF_TASK: dict[str, type[BaseModel]] = {PROMPTS: Prompts}


def task_of(target: str) -> TaskName:
    """Name of the task that a value of `model.target` selects.

    Args:
        target: `model.target` of a recipe, or the target's name in an exported configuration.

    Returns:
        "interactive" for prompts, "automatic" for every target.
    """
    return TASK_OF_TARGET.get(target, "automatic")
