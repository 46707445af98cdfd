"""Interfaces of repositories: modules that list, build, load and save models."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cards.base import NetworkSpec
from cards.errors import ModelError
from cards.record import Origin

if TYPE_CHECKING:
    from torch import nn

# Name of the entry that stands for all models of a repository that has too many to list.
ANY = "*"

# Targets that any network with K maps at image resolution can be trained on.
PIXEL_TARGETS = ("foreground", "boundary", "foreground_boundary", "flows", "rays")

# TorchScript of a network that finetune has no code for (`Built.torchscript`), saved beside its weights.
STRUCTURE = "network.pt"


@dataclass(frozen=True)
class ModelInfo:
    """Description of a model that needs no download.

    Attributes:
        name: value of `model.name` in recipes; `ANY` if the repository has more models than it can list.
        title: one line for the list of models.
        task: such as "segmentation".
        license: SPDX id of the pretrained weights; None if there are none, or their license is unknown.
        learning_rate: default learning rate of AdamW.
        learning_rates: lowest and highest sensible learning rate.
        fine_tunable: whether the model can be trained.
        why_not: reason if it cannot be trained.
        parameters: number of parameters with the default options, for images with one channel; None if it was
            not measured.
        pretrained: whether there are published weights.
        terms: what the publisher says of the use of the weights beyond the license.
        targets: values of `model.target` that suit the network.
        objects: what the published weights were trained to segment or classify, such as "nuclei".
        note: remark for the list of models.
        aliases: other names of the model, such as DOIs.
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
    pretrained: bool = True
    terms: str | None = None
    targets: tuple[str, ...] = PIXEL_TARGETS
    objects: tuple[str, ...] = ()
    note: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Built:
    """A network with random weights.

    Attributes:
        network: images (N, C, H, W) float32 -> raw output (N, K, H, W).
        architecture: specification that rebuilds the network: repository, name and all options.
        divisor: height and width of the input must be multiples of it, in pixels.
        torchscript: whether exports save the network as TorchScript, because finetune has no code that builds
            it from `architecture`.
    """

    network: nn.Module
    architecture: NetworkSpec
    divisor: int
    torchscript: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Loaded(Built):
    """A network with initial weights.

    Attributes:
        origin: source of the weights, for the record.
        learning_rate: default learning rate of AdamW.
        normalize: normalization that the weights were trained with, in the form of `data.normalize` in a
            recipe; None if any will do.
        encoder: names of the submodules of `network` that `adapt: head` freezes.
        suggests: options of the target that were published with the weights.
        halo: border of a tile whose output is discarded, in pixels.
    """

    origin: Origin
    learning_rate: float
    normalize: dict[str, Any] | None = None
    encoder: tuple[str, ...] = ()
    suggests: dict[str, Any] = field(default_factory=dict)
    halo: int = 0


@dataclass(frozen=True)
class LoadOptions:
    """Initialization options. Each repository documents which ones it honors.

    Attributes:
        in_channels: number of image channels.
        out_channels: number of maps of the target; 1 for promptable networks, which ignore it.
        options: options of the network; missing ones come from the checkpoint, else they are the defaults.
        checkpoint: weights to load instead of the repository's own.
        pretrained: whether to load the repository's own weights if there is no checkpoint.
        revision: revision of the repository's weights; the latest by default.
        trust: whether code that comes with the model may run.
        seed: seed of random weights; torch's global generator keeps its state.
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
    """Functions of a module in `REPOSITORIES`.

    A repository may also have the optional parts `Interactive`, `HasNativeFile`, `ReloadsWeights`,
    `SavesAdapters`, `CountsModels`, `ListsModels`, `FetchesWeights`, `PublishesModels` and
    `DescribesOptions`.
    """

    def models(self) -> list[ModelInfo]:
        """List the models.

        Returns:
            Descriptions, without a download and without importing torch or an optional package.
        """

    def build(self, name: str, *, in_channels: int, out_channels: int, options: dict[str, Any]) -> Built:
        """Build a network with random weights from torch's global generator.

        Args:
            name: of the model.
            in_channels: number of image channels.
            out_channels: number of maps.
            options: options of the network.

        Returns:
            The network.

        Raises:
            InputError: if there is no such model, or an option is invalid.
        """

    def load(self, name: str, start: LoadOptions) -> Loaded:
        """Build a network and load pretrained weights, those of a checkpoint, or random ones.

        Args:
            name: of the model.
            start: initialization options.

        Returns:
            The network with its initial weights.

        Raises:
            InputError: if model, options and checkpoint do not fit together, or a download fails.
        """

    def save(
        self,
        network: nn.Module,
        architecture: NetworkSpec,
        folder: Path,
        target: dict[str, Any] | None = None,
    ) -> list[Path]:
        """Write a trained network in the repository's own file format.

        Args:
            network: with its weights, on any device.
            architecture: specification of the network.
            folder: the folder `native/` of the run; created if something is written.
            target: name and options of the target, for formats that store them.

        Returns:
            The files; none if the repository has no format of its own.
        """


def refuse_revision(name: str, revision: str | None) -> None:
    """Refuse a revision of weights that have none.

    Args:
        name: of the model.
        revision: as the recipe or the user states it.

    Raises:
        ModelError: if there is one.
    """
    if revision is not None:
        raise ModelError(
            f"model.revision: the weights of {name} have no revisions; their SHA-256 is recorded"
        )


def encoder_share(network: nn.Module) -> str:
    """Describe the encoder of a network as the part whose weights were loaded.

    Args:
        network: with a submodule `encoder`.

    Returns:
        For `Origin.part`, such as "encoder (27,219,136 of 27,382,576 parameters)".
    """
    total, encoder = (
        sum(parameter.numel() for parameter in module.parameters())
        for module in (network, network.get_submodule("encoder"))
    )
    return f"encoder ({encoder:,} of {total:,} parameters)"
