"""Model catalog: the models of each repository, and the number of models of each kind."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date

from cards.errors import InputError, ModelError
from finetune.errors import unknown
from finetune.repositories.base import ANY
from finetune.repositories.capabilities import CountsModels, ListsModels
from finetune.repositories.counts import KINDS, Count, Row
from finetune.repositories.listings import store_counts, store_models, stored_counts, stored_models
from finetune.repositories.registry import REPOSITORIES, ModelInfo
from finetune.utils.offline import offline_reason

__all__ = [
    "KINDS",
    "Count",
    "Counts",
    "Listed",
    "Row",
    "count_models",
    "find_model",
    "list_models",
    "refresh",
]


@dataclass(frozen=True)
class Listed:
    """A model and the repository that has it.

    Attributes:
        repository: a key of `REPOSITORIES`.
        info: description of the model.
        asked: day on which the repository's server described it; None if finetune itself describes it.
    """

    repository: str
    info: ModelInfo
    asked: date | None = None

    @property
    def id(self) -> str:
        """Name by which commands know the model, such as "cellpose:cyto3"."""
        return f"{self.repository}:{self.info.name}"


@dataclass(frozen=True)
class Counts:
    """Number of models by repository and kind.

    Attributes:
        rows: counts by repository.
        answered: repositories whose server answered; other rows count the listed models.
        unavailable: reason for a missing answer, by repository.
        stored: day of an earlier answer that stands for a missing one, by repository.
    """

    rows: dict[str, Row]
    answered: list[str]
    unavailable: dict[str, str]
    stored: dict[str, date] = field(default_factory=dict)


def list_models(
    repository: str | None = None,
    task: str | None = None,
    fine_tunable: bool = False,
    stored: bool = True,
) -> list[Listed]:
    """List the models that are known without network access, also those that a server listed earlier.

    Args:
        repository: list only this repository.
        task: list only models whose task or objects contain this text: "segmentation" also matches instance
            segmentation, and "nuclei" matches models trained on nuclei.
        fine_tunable: list only models that can be fine-tuned.
        stored: also list the models that servers listed on the last call of `refresh`.

    Returns:
        Models with their repository.

    Raises:
        RecipeError: if there is no such repository, or no model for this task.
    """
    if repository is not None and repository not in REPOSITORIES:
        raise unknown("repository", repository, REPOSITORIES)
    every = [model for name in REPOSITORIES for model in _models_of(name) if stored or model.asked is None]
    if task is not None and not any(_serves(model.info, task) for model in every):
        words = [word for model in every for word in (*model.info.task.split(", "), *model.info.objects)]
        raise unknown("task", task, dict.fromkeys(words))
    return [
        model
        for model in every
        if repository in (None, model.repository)
        and (task is None or _serves(model.info, task))
        and (model.info.fine_tunable or not fine_tunable)
    ]


def find_model(name: str) -> Listed:
    """Find a model by its name.

    Args:
        name: "repository:name", or the name alone: of any listed model, an id on the Hugging Face Hub, or an
            id or DOI of a BioImage.IO model.

    Returns:
        The model.

    Raises:
        ModelError: if there is no such model, or several repositories have one of this name.
    """
    prefix, separator, rest = name.partition(":")
    repository = prefix if separator and prefix in REPOSITORIES else None
    word = rest if repository else name
    models = [model for model in list_models(repository) if model.info.name != ANY]
    found = [model for model in models if word == model.info.name or _is_alias(word, model.info)]
    if len(found) > 1:
        ids = " or ".join(model.id for model in found)
        raise ModelError(f"{name}: several repositories have this model; use {ids}")
    if found:
        return found[0]
    if repository is None and _looks_like_hub_id(word):
        repository = "huggingface"
    others = [model.info for model in _models_of(repository)] if repository else []
    template = next((info for info in others if info.name == ANY), None)
    if repository and template:
        return Listed(repository, replace(template, name=word))
    close = difflib.get_close_matches(word, [model.info.name for model in models], n=2)
    similar = f"did you mean {' or '.join(close)}?" if close else "`finetune models` lists the models"
    raise ModelError(f"unknown model '{name}'; {similar}")


def refresh(repository: str | None = None) -> dict[str, str]:
    """Ask the servers of repositories for their models, and store the answers with the date.

    Args:
        repository: ask this repository only; None for all that have a server.

    Returns:
        Reason for a missing answer, by repository; their stored lists stay.

    Raises:
        RecipeError: if there is no such repository.
        InputError: if the cache cannot be written.
    """
    if repository is not None and repository not in REPOSITORIES:
        raise unknown("repository", repository, REPOSITORIES)
    names = list(REPOSITORIES) if repository is None else [repository]
    to_ask = {name: module for name in names if isinstance(module := REPOSITORIES[name], ListsModels)}
    unavailable = _offline(to_ask)
    if unavailable:
        return unavailable
    with ThreadPoolExecutor() as pool:
        answers = {name: pool.submit(module.fetch_models) for name, module in to_ask.items()}
    for name, answer in answers.items():
        try:
            models = answer.result()
        except InputError as error:
            unavailable[name] = str(error)
        else:
            store_models(name, models)
    return unavailable


def count_models(repository: str | None = None, ask: bool = True) -> Counts:
    """Count the models of each kind in each repository.

    Args:
        repository: count only this repository; None for all.
        ask: whether to ask the servers of repositories that state how (`capabilities.CountsModels`). It takes
            a few seconds at most. HF_HUB_OFFLINE and FINETUNE_OFFLINE switch it off. Answers are stored; a
            stored answer, with its date, stands for a missing one.

    Returns:
        Counts by repository and kind, and which servers answered.
    """
    names = list(REPOSITORIES) if repository is None else [repository]
    rows = {name: _count_listed(REPOSITORIES[name].models()) for name in names}
    to_ask = {name: module for name in names if isinstance(module := REPOSITORIES[name], CountsModels)}
    answered: list[str] = []
    unavailable = _offline(to_ask) if ask else {}
    if ask and not unavailable:
        with ThreadPoolExecutor() as pool:
            answers = {name: pool.submit(module.count_models) for name, module in to_ask.items()}
        for name, answer in answers.items():
            try:
                rows[name] = answer.result()
            except InputError as error:
                unavailable[name] = str(error)
            else:
                answered.append(name)
                store_counts(name, rows[name])
    stored = {}
    for name in to_ask:
        earlier = stored_counts(name)
        if name not in answered and earlier.asked:
            rows[name], stored[name] = earlier.row, earlier.asked
    return Counts(rows, answered, unavailable, stored)


def _models_of(repository: str) -> list[Listed]:
    """Models that finetune describes itself, then those that a server listed, without repeating any."""
    models = [Listed(repository, info) for info in REPOSITORIES[repository].models()]
    stored = stored_models(repository)
    known = {model.info.name for model in models}
    return models + [
        Listed(repository, info, stored.asked) for info in stored.models if info.name not in known
    ]


def _serves(info: ModelInfo, task: str) -> bool:
    return task.lower() in info.task.lower() or task.lower() in info.objects


def _is_alias(word: str, info: ModelInfo) -> bool:
    return any(word == alias or word.endswith(f"/{alias}") for alias in info.aliases)


def _looks_like_hub_id(word: str) -> bool:
    user, slash, name = word.partition("/")
    return bool(slash and user and name) and "/" not in name and not user[0].isdigit()


def _offline(names: Iterable[str]) -> dict[str, str]:
    reason = offline_reason()
    return dict.fromkeys(names, f"not queried, because {reason}") if reason else {}


def _count_listed(models: Iterable[ModelInfo]) -> Row:
    models = list(models)
    if any(info.name == ANY for info in models):
        return dict.fromkeys(KINDS, Count(None))
    return {kind: Count(sum(word in info.task for info in models)) for kind, (_, word) in KINDS.items()}
