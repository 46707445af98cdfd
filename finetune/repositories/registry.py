"""The registry of repositories, and functions that dispatch to a repository by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cards.base import NetworkSpec
from cards.errors import ModelError
from finetune.errors import unknown
from finetune.repositories import (
    bioimageio,
    cellpose,
    huggingface,
    sam2,
    stardist,
    torchvision,
    wipp,
)
from finetune.repositories.base import ANY, Built, Loaded, LoadOptions, ModelInfo, Repository
from finetune.repositories.capabilities import (
    DescribesOptions,
    Interactive,
    InteractiveRepository,
    PublishedUse,
    PublishesModels,
    SavesAdapters,
)
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
    "options_model",
    "load",
    "promptable",
    "published",
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
        repository: a module or object that satisfies the protocol `Repository`. It may also have the optional
            parts in `finetune.repositories.capabilities`.

    Raises:
        InputError: if the name is taken, or the repository lacks a function of the protocol.
    """
    REPOSITORIES.register(name, repository)


def options_model(repository: str, name: str, *, interactive: bool = False) -> type[BaseModel] | None:
    """Options that a recipe may set for a model.

    Args:
        repository: a key of `REPOSITORIES`.
        name: of the model.
        interactive: whether the model is trained with prompts, which may take other options.

    Returns:
        A pydantic model with types, defaults and limits; None if the repository does not describe its options
        or has no such model.

    Raises:
        InputError: if there is no such repository.
    """
    module: Any = _find(repository)
    if interactive:
        return module.interactive.options_model(name) if isinstance(module, Interactive) else None
    return module.options_model(name) if isinstance(module, DescribesOptions) else None


def describe(repository: str, name: str) -> ModelInfo:
    """Describe a model, without a download.

    Args:
        repository: a key of `REPOSITORIES`.
        name: of the model.

    Returns:
        The description.

    Raises:
        RecipeError: if there is no such repository, or no such model in it.
    """
    models = {info.name: info for info in _find(repository).models()}
    if name not in models and ANY in models:
        return replace(models[ANY], name=name)
    if name not in models:
        raise unknown(f"{repository} model", name, models)
    return models[name]


def build(
    repository: str,
    name: str,
    *,
    in_channels: int,
    out_channels: int,
    options: dict[str, Any] | None = None,
) -> Built:
    """Build a network with random weights.

    Args:
        repository: a key of `REPOSITORIES`.
        name: of the model.
        in_channels: number of image channels.
        out_channels: number of maps.
        options: options of the network.

    Returns:
        The network.

    Raises:
        RecipeError: if there is no such repository, model or option.
    """
    describe(repository, name)
    return _find(repository).build(
        name, in_channels=in_channels, out_channels=out_channels, options=options or {}
    )


def load(repository: str, name: str, start: LoadOptions) -> Loaded:
    """Build a network and load its initial weights.

    Args:
        repository: a key of `REPOSITORIES`.
        name: of the model.
        start: initialization options.

    Returns:
        The network with its initial weights.

    Raises:
        RecipeError: if there is no such repository, model or option, or the checkpoint does not fit.
    """
    describe(repository, name)
    return _find(repository).load(name, start)


def promptable(repository: str) -> InteractiveRepository:
    """Interactive segmentation with the networks of a repository.

    Args:
        repository: a key of `REPOSITORIES`.

    Returns:
        The repository's module for promptable networks.

    Raises:
        InputError: if there is no such repository, or none of its networks is promptable.
    """
    module = _find(repository)
    if not isinstance(module, Interactive):
        others = [name for name, other in REPOSITORIES.items() if isinstance(other, Interactive)]
        raise ModelError(
            f"model.target=prompts requires a promptable network; repository {repository} has none: "
            f"use {' or '.join(others)}"
        )
    return module.interactive


def published(repository: str, name: str) -> PublishedUse:
    """State how a published model is used without fine-tuning.

    Args:
        repository: a key of `REPOSITORIES`.
        name: of the model.

    Returns:
        Its target and network options.

    Raises:
        ModelError: if the model has no published weights for segmentation.
    """
    module = _find(repository)
    use = module.published(name) if isinstance(module, PublishesModels) else None
    if use is None:
        describe(repository, name)
        raise ModelError(
            f"{repository}:{name}: has no published weights that segment images; fine-tune it with a recipe"
        )
    return use


def save(
    network: nn.Module, architecture: NetworkSpec, folder: Path, target: dict[str, Any] | None = None
) -> list[Path]:
    """Write a trained network in its repository's own file format.

    Args:
        network: with its weights, on any device.
        architecture: specification of the network.
        folder: destination; created if something is written.
        target: name and options of the target, for formats that store them.

    Returns:
        The files; none if the repository has no format of its own.
    """
    return _find(architecture.repository).save(network, architecture, folder, target)


def save_adapter(network: nn.Module, architecture: NetworkSpec, origin: Origin, folder: Path) -> list[Path]:
    """Write a trained adapter without the base model.

    Args:
        network: with its adapter, not yet merged.
        architecture: specification of the network.
        origin: source of the base model's weights.
        folder: destination; created if something is written.

    Returns:
        The files; none if there is no adapter, or the repository has no format for adapters.
    """
    module = _find(architecture.repository)
    if not isinstance(module, SavesAdapters):
        return []
    return module.save_adapter(network, architecture, origin, folder)


def _find(repository: str) -> Repository:
    if repository not in REPOSITORIES:
        raise unknown("repository", repository, REPOSITORIES)
    return REPOSITORIES[repository]
