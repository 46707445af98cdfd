"""A recipe with prompts resolved: images found and checked, network built, nothing trained yet."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from cards.errors import RecipeError
from finetune.adapters import count
from finetune.licenses import check_license
from finetune.pipeline.inputs import (
    build_data,
    capture_environment,
    collect_data,
    resolve_defaults,
    warn_about_missing_splits,
)
from finetune.pipeline.plan import Plan
from finetune.pipeline.starting import adapted, load_options, normalize_of, warn_about_frozen_random_weights
from finetune.prompts.model import PromptedModel
from finetune.recipe.schema import Recipe
from finetune.repositories.registry import describe, promptable
from finetune.targets.prompt_options import build_prompts
from finetune.training.hardware import resolve_compute


def prepare_prompted(recipe: Recipe, console: Console) -> Plan[PromptedModel]:
    """Resolve a recipe with prompts; as `finetune.pipeline.plan.prepare`.

    Raises:
        RecipeError: for anything that would keep the run from its end, as far as it can be known now.
    """
    recipe = resolve_compute(recipe)
    place, prompts = capture_environment(), build_prompts(recipe.model.target_options)
    repository = promptable(recipe.model.repository)
    describe(recipe.model.repository, recipe.model.name)
    found = collect_data(recipe, prompts.labels, console)
    loaded = repository.load(recipe.model.name, load_options(recipe, found.channels, prompts.channels))
    check_license(recipe.card.license, loaded.origin.license, loaded.origin.id)
    recipe = _with_image_size(
        resolve_defaults(recipe, found.label_kind, loaded.learning_rate), loaded.architecture.options
    )
    normalize = normalize_of(recipe, loaded)
    data = build_data(recipe, found, prompts, normalize, squared=True)
    validation = [file.instances for file in found.files if file.split == "validation"]
    if validation and not sum(validation):
        raise RecipeError("data: no validation image holds an instance to ask for; set data.validation=0")
    model = PromptedModel(
        network=adapted(recipe, loaded),  # type: ignore[arg-type]
        target=prompts,
        normalize=normalize,
        select=recipe.data.channels,
        channels=found.channels,
        divisor=loaded.divisor,
        architecture=loaded.architecture,
    )
    return Plan(
        recipe=recipe,
        found=found,
        model=model,
        origin=loaded.origin,
        data=data,
        counted=count(model.network),
        environment=place,
        warnings=[
            *found.warnings,
            *warn_about_missing_splits(data),
            *warn_about_frozen_random_weights(recipe, loaded),
        ],
    )


def _with_image_size(recipe: Recipe, options: dict[str, Any]) -> Recipe:
    """The recipe whose patches have the image size of the network."""
    image_size, training = options["image_size"], recipe.training
    if "patch" in training.model_fields_set and training.patch != image_size:
        raise RecipeError(
            f"training.patch: {training.patch}; with prompts each image goes in as a square of "
            f"model.options.image_size pixels, which is {image_size}: leave training.patch out"
        )
    return recipe.model_copy(update={"training": training.model_copy(update={"patch": image_size})})
