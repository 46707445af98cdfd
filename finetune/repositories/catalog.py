"""Model catalog: the models of each repository, and the number of models of each kind."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cards.errors import InputError
from finetune.errors import unknown
from finetune.repositories.base import ANY
from finetune.repositories.capabilities import CountsModels
from finetune.repositories.counts import KINDS, Count, Row
from finetune.repositories.registry import REPOSITORIES, ModelInfo

__all__ = ["KINDS", "Count", "Counts", "Listed", "Row", "count_models", "list_models"]


@dataclass(frozen=True)
class Listed:
    """A model and the repository that has it."""

    repository: str
    info: ModelInfo


@dataclass(frozen=True)
class Counts:
    """Number of models by repository and kind.

    Attributes:
        rows: counts by repository.
        answered: repositories whose server answered; other rows count the listed models.
        unavailable: reason for a missing answer, by repository.
    """

    rows: dict[str, Row]
    answered: list[str]
    unavailable: dict[str, str]


def list_models(
    repository: str | None = None, task: str | None = None, fine_tunable: bool = False
) -> list[Listed]:
    """List the models that are known without network access.

    Args:
        repository: list only this repository.
        task: list only models whose task contains this text: "segmentation" also matches instance
            segmentation.
        fine_tunable: list only models that can be fine-tuned.

    Returns:
        Models with their repository.

    Raises:
        RecipeError: if there is no such repository, or no model for this task.
    """
    if repository is not None and repository not in REPOSITORIES:
        raise unknown("repository", repository, REPOSITORIES)
    every = [Listed(name, info) for name, module in REPOSITORIES.items() for info in module.models()]
    if task is not None and not any(task in model.info.task for model in every):
        raise unknown("task", task, dict.fromkeys(model.info.task for model in every))
    return [
        model
        for model in every
        if repository in (None, model.repository)
        and (task is None or task in model.info.task)
        and (model.info.fine_tunable or not fine_tunable)
    ]


def count_models(repository: str | None = None, ask: bool = True) -> Counts:
    """Count the models of each kind in each repository.

    Args:
        repository: count only this repository; None for all.
        ask: whether to ask the servers of repositories that state how (`base.CountsModels`). It takes a few
            seconds at most. HF_HUB_OFFLINE switches it off.

    Returns:
        Counts by repository and kind, and which servers answered.
    """
    names = list(REPOSITORIES) if repository is None else [repository]
    rows = {name: _count_listed(REPOSITORIES[name].models()) for name in names}
    if not ask:
        return Counts(rows, answered=[], unavailable={})
    from huggingface_hub import constants  # takes a quarter of a second

    to_ask = {name: module for name in names if isinstance(module := REPOSITORIES[name], CountsModels)}
    if constants.HF_HUB_OFFLINE:
        return Counts(
            rows, answered=[], unavailable=dict.fromkeys(to_ask, "not queried, because HF_HUB_OFFLINE is set")
        )
    answered, unavailable = [], {}
    with ThreadPoolExecutor() as pool:
        answers = {name: pool.submit(module.count_models) for name, module in to_ask.items()}
        for name, answer in answers.items():
            try:
                rows[name] = answer.result()
                answered.append(name)
            except InputError as error:
                unavailable[name] = str(error)
    return Counts(rows, answered, unavailable)


def _count_listed(models: Iterable[ModelInfo]) -> Row:
    models = list(models)
    if any(info.name == ANY for info in models):
        return dict.fromkeys(KINDS, Count(None))
    return {kind: Count(sum(word in info.task for info in models)) for kind, (_, word) in KINDS.items()}
