"""Tasks that `model.target` selects: automatic (a target) or interactive segmentation (prompts)."""

from __future__ import annotations

from cards.base import TaskName
from finetune.targets.prompt_options import PROMPTS

# Values of `model.target` that select another task than automatic segmentation.
TASK_OF_TARGET: dict[str, TaskName] = {PROMPTS: "interactive"}


def task_of(target: str) -> TaskName:
    """Name of the task that a value of `model.target` selects.

    Args:
        target: `model.target` of a recipe, or the target's name in an exported configuration.

    Returns:
        "interactive" for prompts, "automatic" for every target.
    """
    return TASK_OF_TARGET.get(target, "automatic")
