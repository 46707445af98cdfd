"""Optional capabilities of a repository: interactive models, adapters, model counts, options."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pydantic import BaseModel

from cards.base import NetworkSpec, Spec
from cards.record import Origin
from finetune.repositories.counts import Row

if TYPE_CHECKING:
    from torch import nn
from finetune.repositories.base import Loaded, LoadOptions, ModelInfo


@dataclass(frozen=True)
class NativePackage:
    """The package that loads a promptable network which `Repository.save` wrote.

    Attributes:
        weights: glob pattern of the weights file.
        format: format of the weights, for the record.
        package: name of the package.
        labels_by: the package's generator of masks without prompts, for the record.
    """

    weights: str
    format: str
    package: str
    labels_by: str


class InteractiveRepository(Protocol):
    """Interactive segmentation with the networks of one repository (`model.target: prompts`)."""

    NATIVE: NativePackage

    def load(self, name: str, start: LoadOptions) -> Loaded:
        """Load a promptable network, see `finetune.networks.sam2_promptable.Promptable`.

        Args:
            name: of the model.
            start: initialization options.

        Returns:
            The network with its initial weights.
        """

    def automatic(self, network: nn.Module, architecture: NetworkSpec) -> Any:
        """Build the repository's own generator of masks for whole images, without prompts.

        Args:
            network: a promptable network, on any device.
            architecture: specification of the network.

        Returns:
            An object whose `generate` takes an image (H, W, 3) float32 and returns masks, and whose attribute
            `predictor` has the interface that `predictor` below returns, with the weights of the network.
        """

    def predictor(self, checkpoint: Path, architecture: NetworkSpec) -> Any:
        """Build the repository's own predictor from a file that `Repository.save` wrote.

        Args:
            checkpoint: the file.
            architecture: specification of the network.

        Returns:
            An object with `set_image` and `predict` (boxes).
        """

    def options_model(self, name: str) -> type[BaseModel] | None:
        """Options of a model that is trained with prompts; see `DescribesOptions`.

        Args:
            name: model name.

        Returns:
            A pydantic model; None if the repository has no such model.
        """


@runtime_checkable
class Interactive(Protocol):
    """Optional part of a repository: some of its networks are promptable."""

    interactive: InteractiveRepository


@dataclass(frozen=True)
class PublishedUse:
    """How a published model is used without fine-tuning, as its authors intend.

    Attributes:
        target: the target that decodes its maps, or "prompts" for the repository's mask generator.
        options: options of the network.
    """

    target: Spec
    options: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class PublishesModels(Protocol):
    """Optional part of a repository: models that segment without fine-tuning."""

    def published(self, name: str) -> PublishedUse | None:
        """State how a published model is used.

        Args:
            name: of the model.

        Returns:
            Its target and network options; None if it has no published weights for segmentation.
        """


@dataclass(frozen=True)
class NativeFile:
    """The file of weights that `Repository.save` writes.

    Attributes:
        pattern: glob pattern of its name.
        format: format of the weights, for the record.
    """

    pattern: str
    format: str


@runtime_checkable
class HasNativeFile(Protocol):
    """Optional part of a repository: `load` accepts the file that `save` wrote, so a run verifies it."""

    NATIVE: NativeFile


@runtime_checkable
class ReloadsWeights(Protocol):
    """Optional part of a repository whose weights are in more than one file: loads all that `save` wrote."""

    def reload(self, path: Path, architecture: NetworkSpec, in_channels: int, out_channels: int) -> nn.Module:
        """Load a network that is not promptable.

        Args:
            path: the file that matches `NATIVE`.
            architecture: specification of the network.
            in_channels: number of image channels.
            out_channels: number of maps.

        Returns:
            The network on the CPU.

        Raises:
            ModelError: if the file cannot be read, or belongs to another network.
        """


@runtime_checkable
class SavesAdapters(Protocol):
    """Optional part of a repository: a file format for adapters without the base model."""

    def save_adapter(
        self, network: nn.Module, architecture: NetworkSpec, origin: Origin, folder: Path
    ) -> list[Path]:
        """Write a trained adapter without the base model.

        Args:
            network: trained network with its adapters, not merged.
            architecture: specification of the network.
            origin: source of the base weights.
            folder: output folder; created if something is written.

        Returns:
            The files; none if there is no adapter.
        """


@runtime_checkable
class CountsModels(Protocol):
    """Optional part of a repository: a server that knows how many models there are."""

    def count_models(self) -> Row:
        """Query the server for the number of models.

        Returns:
            Number of models by kind (the keys of `finetune.repositories.counts.KINDS`).

        Raises:
            InputError: if the server does not answer.
        """


@dataclass(frozen=True)
class FetchedWeights:
    """Published weights in the local caches.

    Attributes:
        files: all files that loading the model needs.
        source: web address of the weights, or of their page.
        revision: commit or version; None if the repository has none.
        license: as the repository states it; None if it states none.
    """

    files: tuple[Path, ...]
    source: str
    revision: str | None = None
    license: str | None = None


@runtime_checkable
class FetchesWeights(Protocol):
    """Optional part of a repository: weights that are downloaded without loading the model."""

    def fetch_weights(self, name: str, revision: str | None) -> FetchedWeights | None:
        """Download the weights of a model, or locate them in the cache.

        Args:
            name: of the model.
            revision: of the weights; the latest if None.

        Returns:
            The files; None for a model without published weights.

        Raises:
            InputError: if there is no such model or revision, or the download fails.
        """


@runtime_checkable
class ListsModels(Protocol):
    """Optional part of a repository: a server that lists its models."""

    def fetch_models(self) -> list[ModelInfo]:
        """Query the server for its models.

        Returns:
            Descriptions of the models.

        Raises:
            InputError: if the server does not answer.
        """


@runtime_checkable
class DescribesOptions(Protocol):
    """Optional part of a repository: options of its models, with types, defaults and limits."""

    def options_model(self, name: str) -> type[BaseModel] | None:
        """Options that a recipe may set for a model.

        Args:
            name: of the model.

        Returns:
            A pydantic model; None if the repository has no such model.
        """
