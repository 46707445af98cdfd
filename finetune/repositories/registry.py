"""Repositories: where networks come from. One file a repository."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.base import NetworkSpec
from cards.errors import ModelError
from finetune.errors import unknown
from finetune.repositories import torchvision, wipp
from finetune.repositories.base import ANY, Built, Loaded, LoadOptions, ModelInfo, Promptable, Repository
from finetune.repositories.bioimageio import repository as bioimageio
from finetune.repositories.cellpose import repository as cellpose
from finetune.repositories.huggingface import promptable as huggingface_prompts
from finetune.repositories.huggingface import repository as huggingface
from finetune.repositories.sam2 import promptable as sam2_prompts
from finetune.repositories.sam2 import repository as sam2
from finetune.repositories.stardist import repository as stardist
from finetune.utils.registration import Registry

__all__ = [
    "REPOSITORIES",
    "Built",
    "Loaded",
    "ModelInfo",
    "Repository",
    "LoadOptions",
    "build",
    "describe",
    "load",
    "promptable",
    "register_repository",
    "save",
    "save_adapter",
]

if TYPE_CHECKING:
    from torch import nn

    from cards.record import Origin

REPOSITORIES: Registry[Repository] = Registry(
    "repository",
    {
        "wipp": wipp,
        "bioimageio": bioimageio,
        "cellpose": cellpose,
        "stardist": stardist,
        "sam2": sam2,
        "huggingface": huggingface,
        "torchvision": torchvision,
    },
    needs=("models", "build", "load", "save"),
)


def register_repository(name: str, repository: Repository) -> None:
    """Add a repository.

    Args:
        name: value of `model.repository` in recipes.
        repository: a module or object that satisfies the protocol `Repository`.

    Raises:
        InputError: if the name is taken, or the repository lacks a function of the protocol.
    """
    REPOSITORIES.register(name, repository)


# Those of whose networks some answer prompts (`model.target: prompts`).
PROMPTABLE: dict[str, Promptable] = {"sam2": sam2_prompts, "huggingface": huggingface_prompts}


def describe(repository: str, name: str) -> ModelInfo:
    """What a repository says of a model, without asking anyone for it.

    Raises:
        RecipeError: if there is no such repository, or no such model in it.
    """
    models = {info.name: info for info in _find(repository).models()}
    if name not in models and ANY in models:
        return replace(models[ANY], name=name)
    if name not in models:
        raise unknown(f"model of repository {repository}", name, models)
    return models[name]


def build(
    repository: str,
    name: str,
    *,
    in_channels: int,
    out_channels: int,
    options: dict[str, Any] | None = None,
) -> Built:
    """A network with random weights, to be given those of an exported model.

    Raises:
        RecipeError: if there is no such repository, model or option.
    """
    describe(repository, name)
    return _find(repository).build(
        name, in_channels=in_channels, out_channels=out_channels, options=options or {}
    )


def load(repository: str, name: str, start: LoadOptions) -> Loaded:
    """A network to start from.

    Args:
        repository: a key of `REPOSITORIES`.
        name: of a model in it.
        start: what is asked of it.

    Raises:
        RecipeError: if there is no such repository, model or option, or the checkpoint does not fit.
    """
    describe(repository, name)
    return _find(repository).load(name, start)


def promptable(repository: str) -> Promptable:
    """The repository as one of networks that answer prompts.

    Raises:
        ModelError: if it has none.
    """
    _find(repository)
    if repository not in PROMPTABLE:
        raise ModelError(
            f"model.target prompts needs a network that answers prompts; repository {repository} has none: "
            f"take {' or '.join(PROMPTABLE)}"
        )
    return PROMPTABLE[repository]


def save(
    network: nn.Module, architecture: NetworkSpec, folder: Path, target: dict[str, Any] | None = None
) -> list[Path]:
    """Write a trained network in the form of the repository that it came from.

    Args:
        network: with its weights, on any device.
        architecture: as `build` and `load` give it.
        folder: where to; made if there is anything to write.
        target: name and options of what it was trained for, for a form that says how maps are read back.

    Returns:
        The files; none where the repository has no form of its own.
    """
    return _find(architecture.repository).save(network, architecture, folder, target)


def save_adapter(network: nn.Module, architecture: NetworkSpec, origin: Origin, folder: Path) -> list[Path]:
    """Write a trained adapter by itself, where the repository has a form for that.

    Args:
        network: as it was trained, its adapter not yet merged.
        architecture: as `build` and `load` give it.
        origin: of the weights that the adapter goes with.
        folder: where to; made if there is anything to write.

    Returns:
        The files; none if there is no adapter, or no form for it.
    """
    if architecture.repository != "huggingface":
        return []
    from finetune.repositories.huggingface import adapter as huggingface_adapter

    return huggingface_adapter.save_adapter(network, architecture, origin, folder)


def _find(repository: str) -> Repository:
    if repository not in REPOSITORIES:
        raise unknown("repository", repository, REPOSITORIES)
    return REPOSITORIES[repository]
