"""Recipe validation: names and options of components, and combinations that cannot work. Reads no images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cards.errors import InputError
from cards.paths import expand_user
from finetune.recipe.schema import DataSection, ModelSection, Recipe

Problem = tuple[str, str]  # key and message


def problems(recipe: Recipe) -> Iterator[Problem]:
    """Validate what the schema cannot: names and options of components, existing paths, plausible values.

    Args:
        recipe: a recipe that follows the schema.

    Yields:
        Key, such as `model.adapt_options.rank`, and message.
    """
    yield from _target_problems(recipe.model)
    yield from _adapter_problems(recipe.model)
    yield from _data_problems(recipe.data)
    yield from _network_problems(recipe)


def _target_problems(model: ModelSection) -> Iterator[Problem]:
    from finetune.targets.tasks import task_of

    check = {"automatic": _automatic_problems, "interactive": _interactive_problems}[task_of(model.target)]
    yield from check(model)


def _automatic_problems(model: ModelSection) -> Iterator[Problem]:
    from finetune.targets.registry import target_option_errors

    yield from _options(
        "model.target", "model.target_options", target_option_errors, model.target, model.target_options
    )


def _interactive_problems(model: ModelSection) -> Iterator[Problem]:
    from finetune.repositories.registry import REPOSITORIES, promptable
    from finetune.targets.prompt_options import prompt_option_errors

    yield from _options("model.target", "model.target_options", prompt_option_errors, model.target_options)
    if model.repository in REPOSITORIES:
        yield from _attempt("model.target", promptable, model.repository)


def _adapter_problems(model: ModelSection) -> Iterator[Problem]:
    from finetune.adapters import adapter_option_errors

    yield from _options(
        "model.adapt", "model.adapt_options", adapter_option_errors, model.adapt, model.adapt_options
    )


def _data_problems(data: DataSection) -> Iterator[Problem]:
    from finetune.data.datasets import DATASETS
    from finetune.data.normalization import normalize_option_errors
    from finetune.errors import unknown

    if data.normalize is not None:
        yield from _options("data.normalize.name", "data.normalize", normalize_option_errors, data.normalize)
    if data.name is not None and data.name not in DATASETS:
        yield "data.name", str(unknown("data set", data.name, DATASETS))
    if data.root is not None and not expand_user(data.root).exists():
        yield "data.root", f"{data.root}: no such folder"
    if data.csv is not None and not expand_user(data.csv).exists():
        yield "data.csv", f"{data.csv}: no such file"


def _network_problems(recipe: Recipe) -> Iterator[Problem]:
    from cards.licenses import forbidden
    from finetune.errors import unknown
    from finetune.repositories.registry import REPOSITORIES, describe

    model, training = recipe.model, recipe.training
    if model.repository not in REPOSITORIES:
        yield "model.repository", str(unknown("repository", model.repository, REPOSITORIES))
        return
    try:
        info = describe(model.repository, model.name)
    except InputError as error:
        yield "model.name", str(error)
        return
    yield from _options("model.name", "model.options", _network_option_errors, model)
    license, base_license = recipe.card.license, info.license if model.checkpoint is None else None
    if license and base_license and model.pretrained and (reason := forbidden(license, base_license)):
        yield "card.license", f"{license} contradicts {base_license}, the license of {model.name}: {reason}"
    low, high = info.learning_rates
    if training.learning_rate is not None and not low <= training.learning_rate <= high:
        yield (
            "training.learning_rate",
            f"must be from {low:g} to {high:g} for {model.name}, got {training.learning_rate:g}",
        )


def _network_option_errors(model: ModelSection) -> dict[str, str]:
    from finetune.repositories.registry import options_model
    from finetune.targets.tasks import task_of
    from finetune.utils.options import option_errors

    interactive = task_of(model.target) == "interactive"
    options = options_model(model.repository, model.name, interactive=interactive)
    return option_errors(options, model.options, f"model {model.name}") if options else {}


def _options(
    name_key: str, key: str, errors: Callable[..., dict[str, str]], *arguments: Any
) -> Iterator[Problem]:
    """Problems of a component's options; an unknown component is a problem of `name_key`."""
    try:
        messages = errors(*arguments)
    except InputError as error:
        yield name_key, str(error)
        return
    for option, message in messages.items():
        message = message.removeprefix(f"{option}: ").removeprefix(f"{option} ")  # the key precedes it
        yield f"{key}.{option}" if option else key, message


def _attempt(key: str, build: Callable[..., Any], *arguments: Any) -> Iterator[Problem]:
    try:
        build(*arguments)
    except InputError as error:
        yield key, str(error)
