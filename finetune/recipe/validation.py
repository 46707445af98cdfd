"""What can be said of a recipe without its images: names that do not exist, values that cannot work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from cards.errors import InputError

if TYPE_CHECKING:
    from finetune.recipe.schema import Recipe


def problems(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Keys of a recipe whose values are well-formed but cannot work, each with what is wrong."""
    from finetune.adapters import ADAPTS, build_adapt
    from finetune.data.datasets import DATASETS
    from finetune.data.normalization import build_normalize
    from finetune.errors import unknown
    from finetune.licenses import forbidden
    from finetune.repositories.registry import REPOSITORIES, describe, promptable
    from finetune.targets.prompt_options import PROMPTS, build_prompts
    from finetune.targets.registry import build_target

    model, training = recipe.model, recipe.training
    if model.target == PROMPTS:
        yield from _attempt("model.target_options", build_prompts, model.target_options)
        if model.repository in REPOSITORIES:
            yield from _attempt("model.target", promptable, model.repository)
    else:
        yield from _attempt("model.target", build_target, model.target, model.target_options)
    adapt = "model.adapt_options" if model.adapt in ADAPTS else "model.adapt"
    yield from _attempt(adapt, build_adapt, model.adapt, model.adapt_options)
    if recipe.data.normalize is not None:
        yield from _attempt("data.normalize", build_normalize, recipe.data.normalize)
    if recipe.data.name is not None and recipe.data.name not in DATASETS:
        yield "data.name", str(unknown("data set", recipe.data.name, DATASETS))
    for key in ("root", "csv"):
        path = getattr(recipe.data, key)
        if path is not None and not path.exists():
            yield f"data.{key}", f"{path}: there is no such {'folder' if key == 'root' else 'file'}"
    if model.repository not in REPOSITORIES:
        yield "model.repository", str(unknown("repository", model.repository, REPOSITORIES))
        return
    try:
        described = describe(model.repository, model.name)
    except InputError as error:
        yield "model.name", str(error)
        return
    chosen, theirs = recipe.card.license, described.license if model.checkpoint is None else None
    if chosen and theirs and model.pretrained and (why := forbidden(chosen, theirs)):
        yield "card.license", f"{chosen} contradicts {theirs}, the license of {model.name}: {why}"
    low, high = described.learning_rates
    if training.learning_rate is not None and not low <= training.learning_rate <= high:
        yield (
            "training.learning_rate",
            f"{training.learning_rate:g} is far from what {model.name} learns with: {low:g} to {high:g}",
        )


def _attempt(key: str, build: Callable[..., Any], *arguments: Any) -> Iterator[tuple[str, str]]:
    try:
        build(*arguments)
    except InputError as error:
        yield key, str(error)
