"""WIPP: the networks that NIST's Web Image Processing Pipeline runs as plugins, trained from scratch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from cards.base import NetworkSpec
from cards.errors import ModelError
from cards.record import Origin
from finetune.errors import unknown
from finetune.repositories.base import Built, Loaded, LoadOptions, ModelInfo
from finetune.repositories.options import complete
from finetune.utils.options import Options
from finetune.weights.checkpoint import Checkpoint, options_of, origin, read_checkpoint
from finetune.weights.last_layer import load_run

if TYPE_CHECKING:
    from torch import nn

UNET = ModelInfo(
    name="unet",
    title="U-Net with group normalization, trained from scratch",
    task="segmentation",
    license=None,
    learning_rate=1e-3,
    learning_rates=(1e-5, 1e-2),
    parameters=7_240_258,  # for the target foreground_boundary
    pretrained=False,
)


class UNetOptions(Options):
    """Options of the U-Net; beyond the limits a network is of no use or does not fit into memory."""

    width: int = Field(32, ge=4, le=256, description="channels at full resolution; doubled at each level")
    depth: int = Field(4, ge=1, le=6, description="number of times that the resolution halves")


def options_model(name: str) -> type[BaseModel] | None:
    """Options that a recipe may set for a model.

    Args:
        name: of the model.

    Returns:
        A pydantic model; None if there is no such model.
    """
    return UNetOptions if name == UNET.name else None


def models() -> list[ModelInfo]:
    """List the models.

    Returns:
        Descriptions of all models that have a name.
    """
    return [UNET]


def build(name: str, *, in_channels: int, out_channels: int, options: dict[str, Any]) -> Built:
    """Build a network with random weights from torch's global generator.

    Args:
        name: model name.
        in_channels: number of image channels.
        out_channels: K, number of maps.
        options: options of the network, see `options_model`.

    Returns:
        The network.

    Raises:
        InputError: if there is no such model, or an option is invalid.
    """
    from finetune.networks.unet import UNet

    options = _complete(name, options)
    return Built(
        network=UNet(in_channels, out_channels, **options),
        architecture=NetworkSpec(repository="wipp", name=name, options=options),
        divisor=2 ** options["depth"],
    )


def load(name: str, start: LoadOptions) -> Loaded:
    """Load a network with the weights of a checkpoint, or with random ones that depend on the seed.

    Args:
        name: "unet".
        start: initialization options. Options are `width` and `depth`. A checkpoint is a run, its
            `huggingface` folder, or a .safetensors file; there are no pretrained weights. If the target has
            another number of maps than the checkpoint, the last layer is initialized randomly.

    Returns:
        The network with its initial weights.

    Raises:
        ModelError: if model, options, channels and checkpoint do not fit together.
    """
    import torch

    base = Origin(repository="wipp", id=name, weights="random")
    options, found = start.options, None
    if start.checkpoint is not None:
        found = read_checkpoint(start.checkpoint)
        options = options_of(found, "wipp", name, options)
        base = origin(found, "wipp", name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(start.seed)
        built = build(name, in_channels=start.in_channels, out_channels=start.out_channels, options=options)
    if found:
        part = _load(built.network, found, start.in_channels)
        base = base.model_copy(update={"part": part or base.part})
    return Loaded(**vars(built), origin=base, learning_rate=UNET.learning_rate, encoder=("encoder",))


def save(
    network: nn.Module, architecture: NetworkSpec, folder: Path, target: dict[str, Any] | None = None
) -> list[Path]:
    """Write nothing: WIPP has no file format for weights.

    Args:
        network: network with its weights, on any device.
        architecture: specification of the network.
        folder: the folder `native/` of the run; created if something is written.
        target: name and options of the target.

    Returns:
        An empty list.
    """
    return []


def _complete(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Validate the options and add defaults."""
    if name != UNET.name:
        raise unknown("wipp model", name, [UNET.name])
    return complete(name, options, UNetOptions)


def _load(network: nn.Module, found: Checkpoint, in_channels: int) -> str | None:
    """Load the weights; returns a description of the loaded part if the last layer stays random."""
    first = next(iter(network.state_dict()))
    if first in found.state and found.state[first].shape[1] != in_channels:
        raise ModelError(
            f"{found.path}: the checkpoint expects {found.state[first].shape[1]} channels, "
            f"but the images have {in_channels}; select channels with data.channels"
        )
    return load_run(network, found, ("head.weight", "head.bias"))
