"""The catalog: which models each repository has, and how many there are of each kind."""

from __future__ import annotations

import http.client
import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cards.errors import InputError, ModelError
from finetune.errors import unknown
from finetune.repositories.base import ANY
from finetune.repositories.registry import REPOSITORIES, ModelInfo

# Kinds of models, as in the table that this project sets out to make for everyone: what the Hub calls them,
# and what is part of the names that others give them.
KINDS = {
    "image classification": ("image-classification", "classification"),
    "segmentation": ("image-segmentation", "segmentation"),
    "mask generation": ("mask-generation", "mask generation"),
}

# Where bioimageio.spec 0.5.12 finds packages by their ids (its setting collection_http_pattern), the children
# of the collection "bioimage.io"; asked as the website https://bioimage.io does.
BIOIMAGEIO = "https://hypha.aicell.io/bioimage-io/artifacts/bioimage.io/children"
PAGE = 100  # entries
MOST = 10_000  # models that are counted, for the answer to come in seconds
TIMEOUT = 4  # seconds without an answer


@dataclass(frozen=True)
class Listed:
    """A model and the repository that has it."""

    repository: str
    info: ModelInfo


@dataclass(frozen=True)
class Count:
    """How many models there are.

    Attributes:
        number: None if it is not known.
        more: whether there are more than that.
    """

    number: int | None
    more: bool = False

    def __str__(self) -> str:
        if self.number is None:
            return "not known"
        return f"{'more than ' * self.more}{self.number:,}"


Row = dict[str, Count]  # by kind


@dataclass(frozen=True)
class Counts:
    """How many models of each kind each repository has.

    Attributes:
        rows: by repository.
        asked: the repositories that answered; the other rows count the models that are listed here.
        silent: why others did not answer, by repository.
    """

    rows: dict[str, Row]
    asked: list[str]
    silent: dict[str, str]


def list_models(
    repository: str | None = None, task: str | None = None, fine_tunable: bool = False
) -> list[Listed]:
    """The models that are known without asking anyone.

    Args:
        repository: only of this one.
        task: only those whose task has this in its name: "segmentation" is also instance segmentation.
        fine_tunable: only those that can be fine-tuned.

    Raises:
        RecipeError: if there is no such repository, or no model of such a task.
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
    """How many models of each kind repositories have.

    Args:
        repository: only this one.
        ask: whether to ask those that have more than can be listed here; for no longer than some seconds, and
            not if HF_HUB_OFFLINE is set.
    """
    names = list(REPOSITORIES) if repository is None else [repository]
    rows = {name: _count_listed(REPOSITORIES[name].models()) for name in names}
    if not ask:
        return Counts(rows, asked=[], silent={})
    from huggingface_hub import constants  # takes a quarter of a second

    to_ask = [name for name in names if name in ASK]
    if constants.HF_HUB_OFFLINE:
        return Counts(rows, asked=[], silent=dict.fromkeys(to_ask, "not asked, as HF_HUB_OFFLINE is set"))
    asked, silent = [], {}
    with ThreadPoolExecutor() as pool:
        answers = {name: pool.submit(ASK[name]) for name in to_ask}
        for name, answer in answers.items():
            try:
                rows[name] = answer.result()
                asked.append(name)
            except InputError as error:
                silent[name] = str(error)
    return Counts(rows, asked, silent)


def _count_listed(models: Iterable[ModelInfo]) -> Row:
    models = list(models)
    if any(info.name == ANY for info in models):
        return dict.fromkeys(KINDS, Count(None))
    return {kind: Count(sum(word in info.task for info in models)) for kind, (_, word) in KINDS.items()}


def _ask_hub() -> Row:
    from finetune.downloads.hub import count_models

    with ThreadPoolExecutor() as pool:
        answers = {kind: pool.submit(count_models, tag, MOST) for kind, (tag, _) in KINDS.items()}
        return {kind: Count(*answer.result()) for kind, answer in answers.items()}


def _ask_bioimageio() -> Row:
    """Its models by what their authors tagged them with, as it has no other notion of a task."""
    tags: list[str] = []
    total = MOST
    try:
        while len(tags) < min(total, MOST):
            page = _children(len(tags))
            total = page["total"]
            if not page["items"]:
                break
            tags += [_tags(item["manifest"]) for item in page["items"]]
    except (OSError, http.client.HTTPException) as error:  # urllib's errors are OSErrors
        raise ModelError(f"BioImage.IO cannot be reached ({type(error).__name__})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError("BioImage.IO answers something else than a list of its models") from error
    more = len(tags) < total
    return {kind: Count(sum(word in text for text in tags), more) for kind, (_, word) in KINDS.items()}


def _children(offset: int) -> dict:
    query = {"pagination": "true", "offset": offset, "limit": PAGE, "filters": '{"type": "model"}'}
    with urllib.request.urlopen(f"{BIOIMAGEIO}?{urllib.parse.urlencode(query)}", timeout=TIMEOUT) as answer:
        return json.load(answer)


def _tags(manifest: dict) -> str:
    return " ".join(manifest.get("tags") or []).lower().replace("-", " ")


ASK: dict[str, Callable[[], Row]] = {"huggingface": _ask_hub, "bioimageio": _ask_bioimageio}
