"""SAM 2 (Ravi et al. 2024), automatic: image encoder and lightweight decoder, any target in one pass.

`facebook/sam2.1-hiera-*` on the Hugging Face Hub. Code and weights are under Apache-2.0
(https://github.com/facebookresearch/sam2, "License").
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cards.base import NetworkSpec
from cards.errors import ModelError
from finetune.errors import unknown
from finetune.repositories.base import Built, Loaded, LoadOptions, ModelInfo, encoder_share
from finetune.repositories.capabilities import NativeFile
from finetune.repositories.options import DecoderOptions, complete
from finetune.repositories.sam2.models import LEARNING_RATE, MODELS
from finetune.repositories.sam2.weights import find_weights, hub_id, load_whole
from finetune.utils.atomic import write_safetensors
from finetune.utils.optional import require
from finetune.weights.checkpoint import options_of, refuse_prompts
from finetune.weights.last_layer import load_run

if TYPE_CHECKING:
    import torch
    from torch import nn

# SAM 2 was trained on photographs scaled to 0..1. Microscopy images rarely use all of their 8 or 16 bits, so
# they are scaled by their own percentiles; the encoder then applies the mean and deviation of photographs.
NORMALIZE = {"name": "percentile", "low": 1.0, "high": 99.8}
NATIVE = NativeFile("*.pt", "pytorch")
MAX_CHANNELS = 3
LAST = "decoder.output."


def models() -> list[ModelInfo]:
    """List the models.

    Returns:
        Descriptions of all models that have a name.
    """
    return list(MODELS.values())


def options_model(name: str) -> type[BaseModel] | None:
    """Options that a recipe may set for a model.

    Args:
        name: of the model.

    Returns:
        A pydantic model; None if there is no such model.
    """
    return DecoderOptions if name in MODELS else None


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
        InputError: if there is no such model, an option is invalid, or the model does not accept so many
            channels.
    """
    return _assemble(name, build_whole(name, in_channels), out_channels, options)


def load(name: str, start: LoadOptions) -> Loaded:
    """Load a network with SAM 2's image encoder from the Hub or a file, the weights of a run, or random ones.

    Args:
        name: a key of `MODELS`.
        start: initialization options. Images have at most 3 channels; a single channel is repeated. The
            option `width` is the number of channels in the decoder. The decoder is initialized randomly; from
            a run only its last layer is, if the number of maps differs. A checkpoint is a run of finetune, or
            a file as published by SAM 2 (a complete SAM 2 under "model").

    Returns:
        The network with its initial weights.

    Raises:
        ModelError: if model, options, channels and checkpoint do not fit together, or a download fails.
    """
    import torch

    found, base = find_weights(name, start)
    options = start.options
    if found:
        refuse_prompts(found)
        options = options_of(found, "sam2", name, options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(start.seed)
        whole = build_whole(name, start.in_channels)
        built = _assemble(name, whole, start.out_channels, options)
    if found and any(key.startswith("decoder.") for key in found.state):
        last = [key for key, _ in built.network.named_parameters() if key.startswith(LAST)]
        part = load_run(built.network, found, last)
        base = base.model_copy(update={"part": part or base.part})
    elif found:
        load_whole(whole, name, found)
        base = base.model_copy(update={"part": encoder_share(built.network)})
    return Loaded(
        **vars(built),
        origin=base,
        learning_rate=LEARNING_RATE,
        normalize=NORMALIZE,
        encoder=("encoder",),
    )


def save(
    network: nn.Module, architecture: NetworkSpec, folder: Path, target: dict[str, Any] | None = None
) -> list[Path]:
    """Write a checkpoint for `sam2.build_sam.build_sam2` and, beside it, the lightweight decoder, if any.

    The checkpoint is a complete SAM 2: trained parts with their new weights, all others unchanged.

    Args:
        network: network with its weights, on any device.
        architecture: specification of the network.
        folder: the folder `native/` of the run; created if something is written.
        target: name and options of the target.

    Returns:
        The files.
    """
    import torch

    from finetune.networks.encoder_decoder import EncoderDecoder
    from finetune.networks.sam2 import state_of_whole

    folder.mkdir(parents=True, exist_ok=True)
    name = architecture.name
    checkpoint = folder / f"{name}_finetuned.pt"
    torch.save({"model": _plain(state_of_whole(network.state_dict()))}, checkpoint)
    if not isinstance(network, EncoderDecoder):
        return [checkpoint]
    decoder = folder / f"{name}_automatic_decoder.safetensors"
    weights = _plain(network.decoder.state_dict())
    metadata = {"format": "pt", "architecture": json.dumps(architecture.model_dump())}
    write_safetensors(decoder, weights, metadata)
    return [checkpoint, decoder]


def reload(path: Path, architecture: NetworkSpec, in_channels: int, out_channels: int) -> nn.Module:
    """Load a network from a file that `save` wrote; see `finetune.repositories.capabilities.ReloadsWeights`.

    Args:
        path: the file.
        architecture: specification of the network.
        in_channels: number of image channels.
        out_channels: number of maps.

    Returns:
        The network.

    Raises:
        ModelError: if the file cannot be read, or belongs to another network.
    """
    from safetensors.torch import load_file

    start = LoadOptions(in_channels, out_channels, architecture.options, checkpoint=path)
    network = load(architecture.name, start).network
    decoder = path.with_name(f"{architecture.name}_automatic_decoder.safetensors")
    network.get_submodule("decoder").load_state_dict(load_file(decoder))
    return network


def _plain(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copy tensors to the CPU, each contiguous."""
    return {key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}


def build_whole(name: str, in_channels: int, image_size: int | None = None) -> Any:
    """Build a complete SAM 2 with random weights.

    Args:
        name: a key of `MODELS`.
        in_channels: number of image channels, at most 3.
        image_size: side of the square input image in pixels; 1024, as in SAM 2, if None.

    Returns:
        The model of the package `sam2`.

    Raises:
        InputError: if there is no such model, or it does not accept so many channels.
    """
    if name not in MODELS:
        raise unknown("sam2 model", name, MODELS)
    if in_channels > MAX_CHANNELS:
        raise ModelError(
            f"model {name} accepts at most {MAX_CHANNELS} channels, but the images have {in_channels}; "
            "select them with data.channels, such as [0, 1, 2]"
        )
    require("sam2", "sam2")
    from sam2.build_sam import HF_MODEL_ID_TO_FILENAMES

    from finetune.networks import sam2

    config = HF_MODEL_ID_TO_FILENAMES[hub_id(name)][0]
    return sam2.build_whole(config, sam2.IMAGE_SIZE if image_size is None else image_size)


def _assemble(name: str, whole: Any, out_channels: int, options: dict[str, Any]) -> Built:
    from finetune.networks.hiera import DIVISOR
    from finetune.networks.sam2 import automatic

    options = complete(name, options, DecoderOptions)
    return Built(
        network=automatic(whole, out_channels, **options),
        architecture=NetworkSpec(repository="sam2", name=name, options=options),
        divisor=DIVISOR,
    )
