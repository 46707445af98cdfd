"""The recipe of a run of the fine-tuning plugin, from the values of its inputs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cards.errors import InputError, ModelError
from finetune.plugins.messages import parameter_of
from finetune.plugins.segmentation import is_run
from finetune.recipe.schema import Recipe

AUTO = "auto"
DEFAULT_TARGET = "foreground_boundary"  # for a network that was not published with a target


def build_recipe(values: Mapping[str, Any], root: Path) -> Recipe:
    """Make the recipe of a run.

    Args:
        values: of the inputs.
        root: folder of the images and masks.

    Returns:
        The validated recipe.

    Raises:
        InputError: if the parameters do not fit together.
    """
    from finetune.recipe.validation import problems

    model = _continued(values) if values["modelDir"] is not None else _published(values)
    adapt = values["adapt"]
    content = {
        "name": re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{model['repository']}-{model['name']}"),
        "model": {
            **model,
            "adapt": adapt,
            "adapt_options": {"rank": values["rank"]} if adapt == "lora" else {},
        },
        "data": {"root": root, "labels": values["labels"]},
        "training": {
            "epochs": values["epochs"],
            "learning_rate": values["learningRate"],
            "seed": values["seed"],
            "workers": 0,  # processes that read images need more shared memory than a container has
        },
        "card": {
            "title": f"Fine-tuned {model['name']}",
            "description": f"{model['name']} of the repository {model['repository']}, fine-tuned further.",
        },
    }
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(f"{parameter_of(key)}: {first['msg'].lower()}") from error
    for key, message in problems(recipe):
        raise InputError(f"{parameter_of(key)}: {message}")
    return recipe


def _published(values: Mapping[str, Any]) -> dict[str, Any]:
    from finetune.repositories.registry import published
    from finetune.targets.tasks import task_of

    repository, _, name = values["model"].partition(":")
    target: dict[str, Any] = {"target": values["target"]}
    if values["target"] == AUTO:
        target = {"target": DEFAULT_TARGET}
        try:
            use = published(repository, name)
        except ModelError:  # no published weights
            use = None
        if use is not None and task_of(use.target.name) == "automatic":
            target = {"target": use.target.name, "target_options": use.target.options}
        elif repository == "stardist":
            target = {"target": "rays"}
    return {"repository": repository, "name": name, **target}


def _continued(values: Mapping[str, Any]) -> dict[str, Any]:
    folder = values["modelDir"]
    if not folder.is_dir() or not is_run(folder):
        raise ModelError(f"--modelDir: {folder}: is no model that finetune trained")
    inside = folder / "huggingface"
    try:
        config = json.loads(((inside if inside.is_dir() else folder) / "config.json").read_bytes())
        network, target = config["architecture"], config["target"]
        model = {"repository": network["repository"], "name": network["name"]}
        return {**model, "target": target["name"], "target_options": target["options"], "checkpoint": folder}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"--modelDir: {folder}: config.json cannot be read") from error
