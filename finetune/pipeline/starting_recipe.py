"""The recipe to start from with a model: included recipes that use it, and a short one."""

from __future__ import annotations

from finetune.recipe.commented import Choice, render_recipe
from finetune.recipe.library import all_recipes
from finetune.repositories.base import ModelInfo

# Targets in the order in which they are preferred: the first that suits the network.
BY_REPOSITORY = {"cellpose": "flows", "stardist": "rays", "sam2": "flows"}
PREFERRED = ("foreground_boundary", "queries", "rays", "flows")


def default_target(repository: str, info: ModelInfo) -> str:
    """Choose a target for a model with which instances are separated.

    Args:
        repository: a key of `REPOSITORIES`.
        info: description of a model that can be fine-tuned.

    Returns:
        Name of the target.
    """
    own = BY_REPOSITORY.get(repository)
    if own in info.targets:
        return own
    return next(target for target in (*PREFERRED, *info.targets) if target in info.targets)


def included_recipes(repository: str, name: str) -> list[str]:
    """Included recipes that start from a model.

    Args:
        repository: a key of `REPOSITORIES`.
        name: of the model.

    Returns:
        Names of the recipes.
    """
    return [
        recipe.name
        for recipe in all_recipes()
        if (recipe.model.repository, recipe.model.name) == (repository, name)
    ]


def recipe_for(repository: str, info: ModelInfo) -> str:
    """Write a short recipe that starts from a model.

    Args:
        repository: a key of `REPOSITORIES`.
        info: description of a model that can be fine-tuned.

    Returns:
        YAML; everything that it does not set takes the default value.
    """
    title = f"{info.name.rpartition('/')[2]} fine-tuned"
    choices = [
        Choice("model.repository", repository),
        Choice("model.name", info.name),
        Choice("model.target", default_target(repository, info)),
        Choice("data.root", "PATH"),
        Choice("card.title", title),
        Choice("card.description", "TODO say what the model segments"),
    ]
    return render_recipe(choices)
