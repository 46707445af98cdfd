"""A repository with one network, trained from scratch or from a checkpoint of an earlier run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from cards.base import NetworkSpec
from cards.record import Origin
from finetune.repositories.base import Built, Loaded, LoadOptions, ModelInfo
from finetune.repositories.options import complete
from finetune.utils.options import Options

MODEL = ModelInfo(
    name="three",
    title="Three convolutions, trained from scratch",
    task="segmentation",
    license=None,
    learning_rate=1e-2,
    learning_rates=(1e-4, 1e-1),
)


class NetworkOptions(Options):
    """Options of the network (`model.options`)."""

    width: int = Field(8, ge=1, le=64, description="channels of the hidden layers")


def models() -> list[ModelInfo]:
    return [MODEL]


def options_model(name: str) -> type[BaseModel] | None:
    return NetworkOptions if name == MODEL.name else None


def build(name: str, *, in_channels: int, out_channels: int, options: dict[str, Any]) -> Built:
    from finetune_example.network import ThreeConvolutions

    options = complete(name, options, NetworkOptions)
    return Built(
        network=ThreeConvolutions(in_channels, out_channels, **options),
        architecture=NetworkSpec(repository="example", name=name, options=options),
        divisor=1,
    )


def load(name: str, start: LoadOptions) -> Loaded:
    import torch

    from finetune.weights.checkpoint import load_strictly, options_of, origin, read_checkpoint

    base, options, checkpoint = Origin(repository="example", id=name, weights="random"), start.options, None
    if start.checkpoint is not None:
        checkpoint = read_checkpoint(start.checkpoint)
        options = options_of(checkpoint, "example", name, options)
        base = origin(checkpoint, "example", name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(start.seed)
        built = build(name, in_channels=start.in_channels, out_channels=start.out_channels, options=options)
    if checkpoint is not None:
        load_strictly(built.network, checkpoint)
    return Loaded(**vars(built), origin=base, learning_rate=MODEL.learning_rate, halo=6)


def save(network: Any, architecture: NetworkSpec, folder: Path, target: Any = None) -> list[Path]:
    return []  # the repository has no file format of its own
