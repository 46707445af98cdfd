"""A recipe with prompts resolved: images found and checked, network built, nothing trained yet."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from cards.errors import InputError
from finetune.adapters import count
from finetune.licenses import check_licence
from finetune.pipeline.inputs import data_of, fill_in, find, missing_splits, this_place
from finetune.pipeline.plan import Plan
from finetune.pipeline.starting import adapted, kept_random, normalise_of, start_of
from finetune.prompts.model import PromptedModel
from finetune.recipe.schema import Recipe
from finetune.repositories.registry import describe, promptable
from finetune.targets.prompt_options import build_prompts
from finetune.training.hardware import settle_compute


def prepare_prompted(recipe: Recipe, console: Console) -> Plan[PromptedModel]:
    """Resolve a recipe with prompts; as `finetune.pipeline.plan.prepare`.

    Raises:
        InputError: for anything that would keep the run from its end, as far as it can be known now.
    """
    recipe = settle_compute(recipe)
    place, prompts = this_place(), build_prompts(recipe.model.target_options)
    repository = promptable(recipe.model.repository)
    describe(recipe.model.repository, recipe.model.name)
    found = find(recipe, prompts.labels, console)
    loaded = repository.load(recipe.model.name, start_of(recipe, found.channels, prompts.channels))
    check_licence(recipe.card.licence, loaded.origin.licence, loaded.origin.id)
    recipe = _with_side(fill_in(recipe, found.held, loaded.learning_rate), loaded.architecture["options"])
    normalise = normalise_of(recipe, loaded)
    data = data_of(recipe, found, prompts, normalise, squared=True)
    validation = [file.instances for file in found.files if file.split == "validation"]
    if validation and not sum(validation):
        raise InputError("data: no validation image holds an instance to ask for; set data.validation=0")
    model = PromptedModel(
        network=adapted(recipe, loaded),  # type: ignore[arg-type]
        target=prompts,
        normalise=normalise,
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
        warnings=[*found.warnings, *missing_splits(data), *kept_random(recipe, loaded)],
    )


def _with_side(recipe: Recipe, options: dict[str, Any]) -> Recipe:
    """The recipe with the network's side as the side of its patches, which are no other."""
    side, training = options["side"], recipe.training
    if "patch" in training.model_fields_set and training.patch != side:
        raise InputError(
            f"training.patch: {training.patch}; with prompts each image goes in as a square of "
            f"model.options.side pixels, which is {side}: leave training.patch out"
        )
    return recipe.model_copy(update={"training": training.model_copy(update={"patch": side})})
