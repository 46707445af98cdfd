"""A recipe with prompts resolved: images found and checked, network built, nothing trained yet."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from cards.errors import InputError
from finetune.adapt import apply, count
from finetune.compute import settle_compute
from finetune.data.normalise import build_normalise
from finetune.finding import PERCENTILE, data_of, fill_in, find, missing_splits, this_place
from finetune.licences import check_licence
from finetune.plan import Plan
from finetune.prompted import PromptedModel
from finetune.recipe import Recipe
from finetune.repositories import describe, promptable
from finetune.targets.prompts import build_prompts


def prepare_prompted(recipe: Recipe, console: Console) -> Plan[PromptedModel]:
    """Resolve a recipe with prompts; as `finetune.plan.prepare`.

    Raises:
        InputError: for anything that would keep the run from its end, as far as it can be known now.
    """
    recipe = settle_compute(recipe)
    place, prompts = this_place(), build_prompts(recipe.model.target_options)
    section = recipe.model
    repository = promptable(section.repository)
    describe(section.repository, section.name)
    found = find(recipe, prompts.labels, console)
    loaded = repository.load(
        section.name,
        in_channels=found.channels,
        options=section.options,
        checkpoint=section.checkpoint,
        pretrained=section.pretrained,
        revision=section.revision,
        seed=recipe.training.seed,
    )
    check_licence(recipe.card.licence, loaded.origin.licence, loaded.origin.id)
    recipe = _with_side(fill_in(recipe, found.held, loaded.learning_rate), loaded.architecture["options"])
    normalise = build_normalise(recipe.data.normalise or loaded.normalise or PERCENTILE)
    data = data_of(recipe, found, prompts, normalise, squared=True)
    validation = [file.instances for file in found.files if file.split == "validation"]
    if validation and not sum(validation):
        raise InputError("data: no validation image holds an instance to ask for; set data.validation=0")
    warnings = [*found.warnings, *missing_splits(data)]
    if section.adapt != "full" and loaded.origin.weights == "random":
        warnings.append(f"model.adapt: {section.adapt} keeps weights as they are that are random")
    seed = recipe.training.seed
    network = apply(loaded.network, section.adapt, section.adapt_options, loaded.encoder, seed)
    model = PromptedModel(
        network,  # type: ignore[arg-type]
        prompts,
        normalise,
        recipe.data.channels,
        found.channels,
        loaded.divisor,
        loaded.architecture,
    )
    return Plan(
        recipe,
        found.named,
        found.files,
        found.split_by,
        model,
        loaded.origin,
        data,
        count(network),
        place,
        warnings=warnings,
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
