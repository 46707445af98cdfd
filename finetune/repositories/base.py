"""What a repository is: one module that lists models, builds them and loads their weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pydantic import BaseModel

from cards.base import NetworkSpec
from cards.record import Origin
from finetune.repositories.counts import Row

if TYPE_CHECKING:
    from torch import nn

# The name of a model that stands for all that a repository has, where those are too many to list.
ANY = "*"

# TorchScript of a network that finetune has no code for (`Built.torchscript`), saved beside its weights.
STRUCTURE = "network.pt"


@dataclass(frozen=True)
class ModelInfo:
    """What a repository says of a model, without loading it.

    Attributes:
        name: by which a recipe asks for it; `ANY` in a list if the repository takes every name.
        title: one line for a list.
        task: what it is for, e.g. "segmentation".
        license: SPDX id of its weights; None if it has none of its own.
        learning_rate: a good one to start with (AdamW).
        learning_rates: lowest and highest that are sane.
        fine_tunable: whether it can be trained.
        why_not: why it cannot.
        parameters: how many weights it has, where its options do not change that.
    """

    name: str
    title: str
    task: str
    license: str | None
    learning_rate: float
    learning_rates: tuple[float, float]
    fine_tunable: bool = True
    why_not: str | None = None
    parameters: int | None = None


@dataclass(frozen=True)
class Built:
    """A network with random weights.

    Attributes:
        network: images (N, C, H, W) float32 -> raw output (N, K, H, W).
        architecture: repository, name and all options; builds the same network again.
        divisor: heights and widths that it takes are multiples of this, in pixels.
        torchscript: whether exports save the network as TorchScript, because finetune has no code that builds
            it from `architecture`.
    """

    network: nn.Module
    architecture: NetworkSpec
    divisor: int
    torchscript: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Loaded(Built):
    """A network with the weights to start from.

    Attributes:
        origin: where they come from, as the record says it.
        learning_rate: a good one to start with.
        normalize: what the weights were trained with, as `data.normalize` in a recipe; None if any will do.
        encoder: names of the submodules of `network` that `adapt: head` keeps as they are.
        suggests: options of the target that the weights were published with.
        halo: pixels at the edge of a tile of which the output is not to be used, where tiles meet.
    """

    origin: Origin
    learning_rate: float
    normalize: dict[str, Any] | None = None
    encoder: tuple[str, ...] = ()
    suggests: dict[str, Any] = field(default_factory=dict)
    halo: int = 0


@dataclass(frozen=True)
class LoadOptions:
    """What is asked of a network to start from; what it means for one repository, that one says.

    Attributes:
        in_channels: of the images.
        out_channels: maps of the target; 1 of a network that answers prompts, which has no use for it.
        options: of the network; what is not given is the checkpoint's, or the repository's default.
        checkpoint: weights to start from, instead of the repository's own.
        pretrained: whether to start from the repository's own weights, where there are any and no checkpoint.
        revision: of the repository's weights; the newest if unset.
        trust: whether code that comes with the model may run.
        seed: of random weights; torch's own generator stays as it is.
    """

    in_channels: int
    out_channels: int
    options: dict[str, Any] = field(default_factory=dict)
    checkpoint: Path | None = None
    pretrained: bool = True
    revision: str | None = None
    trust: bool = False
    seed: int = 0


class Repository(Protocol):
    """What a module in `REPOSITORIES` has."""

    def models(self) -> list[ModelInfo]:
        """The models that can be asked for by name."""

    def build(self, name: str, *, in_channels: int, out_channels: int, options: dict[str, Any]) -> Built:
        """A network with random weights, drawn from torch's generator as it stands."""

    def load(self, name: str, start: LoadOptions) -> Loaded:
        """A network to start from: the repository's own weights, those of a checkpoint, or random ones."""

    def save(
        self,
        network: nn.Module,
        architecture: NetworkSpec,
        folder: Path,
        target: dict[str, Any] | None = None,
    ) -> list[Path]:
        """Write a trained network in the repository's own form into `native/`; none if it has none.

        `target` has the name and options of what the network was trained for, where the form can tell.
        """


@dataclass(frozen=True)
class NativePackage:
    """The package whose own code answers prompts with what `Repository.save` wrote.

    Attributes:
        weights: the name of that file, as a pattern.
        format: of its weights, as the record calls it.
        package: which loads it.
        labels_by: what of it labels images without prompts, as the record says it.
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
            An object whose `generate` takes an image (H, W, 3) float32 and returns masks, and whose
            `predictor` is the one of `predictor`, with the same weights.
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
        """Options of a model that is trained with prompts; see `DescribesOptions`."""


@runtime_checkable
class Interactive(Protocol):
    """Optional part of a repository: some of its networks are promptable."""

    interactive: InteractiveRepository


@runtime_checkable
class SavesAdapters(Protocol):
    """Optional part of a repository: a file format for adapters without the base model."""

    def save_adapter(
        self, network: nn.Module, architecture: NetworkSpec, origin: Origin, folder: Path
    ) -> list[Path]:
        """Write a trained adapter; see `finetune.repositories.registry.save_adapter`."""


@runtime_checkable
class CountsModels(Protocol):
    """Optional part of a repository: a server that knows how many models there are."""

    def count_models(self) -> Row:
        """Ask the server.

        Returns:
            Number of models by kind (the keys of `finetune.repositories.counts.KINDS`).

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
