"""torchvision (PyTorch Hub): DeepLabV3, FCN, LR-ASPP and classification networks, with any target.

The weights of the segmentation networks were trained on the 20 classes of Pascal VOC in photographs (COCO),
those of the classification networks on ImageNet. They are downloaded from PyTorch's server into `TORCH_HOME`
and compared with the hash in the file name.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.base import NetworkSpec
from cards.errors import ModelError
from cards.record import Origin
from finetune.errors import unknown
from finetune.repositories.base import Built, Loaded, LoadOptions, refuse_revision
from finetune.repositories.capabilities import NativeFile
from finetune.repositories.options import DecoderOptions, complete
from finetune.repositories.torchvision.download import download_weights
from finetune.repositories.torchvision.encoder import load_encoder
from finetune.repositories.torchvision.models import MODELS, Model
from finetune.utils.optional import require
from finetune.utils.options import NoOptions
from finetune.weights.checkpoint import Checkpoint, load_strictly, options_of, origin, read_checkpoint
from finetune.weights.last_layer import LAST_LAYER, all_but

if TYPE_CHECKING:
    from torch import nn

# To 0..1, the range that ImageNet's mean refers to.
NORMALIZE = {"name": "percentile", "low": 1.0, "high": 99.8}
NATIVE = NativeFile("*.pth", "pytorch")


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
    model = _find(name)
    if not model.info.fine_tunable:
        raise ModelError(f"model {name}: {model.info.why_not}")
    options = complete(name, options, DecoderOptions if model.is_encoder else NoOptions)
    if in_channels > 3:
        raise ModelError(
            f"model {name} accepts at most 3 channels, but the images have {in_channels}; "
            "select them with data.channels, such as [0, 1, 2]"
        )
    require("torchvision", "torchvision")
    architecture = NetworkSpec(repository="torchvision", name=name, options=options)
    network: nn.Module
    if model.is_encoder:
        from finetune.networks.torchvision_encoder import build_classifier_features

        network = build_classifier_features(name, out_channels, **options)
    else:
        from finetune.networks.torchvision_segmentation import build_torchvision

        network = build_torchvision(name, out_channels)
    return Built(network=network, architecture=architecture, divisor=model.stride)


def load(name: str, start: LoadOptions) -> Loaded:
    """Load a network with torchvision's weights, those of a checkpoint, or random ones.

    Args:
        name: a key of `MODELS`.
        start: initialization options. Images have at most 3 channels; a single channel is repeated. The
            decoder of a classification network has the option `width`, its number of channels; segmentation
            networks have no options. The last layer is initialized randomly unless a checkpoint has one with
            the same number of maps, and so is the whole decoder of a classification network, unless the
            checkpoint is a run. A checkpoint is a run of finetune, or a .pth file with torchvision's own
            keys. The weights have no revision.

    Returns:
        The network with its initial weights.

    Raises:
        ModelError: if model, options, channels and checkpoint do not fit together, or a download fails.
    """
    require("torchvision", "torchvision")
    import torch

    model = _find(name)
    if start.checkpoint is None:
        refuse_revision(name, start.revision)
    found, base = _weights(model, start)
    options = options_of(found, "torchvision", name, start.options) if found else start.options
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(start.seed)
        built = build(name, in_channels=start.in_channels, out_channels=start.out_channels, options=options)
    if found:
        if model.is_encoder and not any(key.startswith("encoder.") for key in found.state):
            part: str | None = load_encoder(built.network, name, found)
        else:
            part = _load(built.network, found, model, downloaded=start.checkpoint is None)
        base = base.model_copy(update={"part": part or base.part})
    return Loaded(
        **vars(built),
        origin=base,
        learning_rate=model.info.learning_rate,
        normalize=NORMALIZE,
        encoder=("encoder",),
    )


def save(
    network: nn.Module, architecture: NetworkSpec, folder: Path, target: dict[str, Any] | None = None
) -> list[Path]:
    """Write a state dict for the torchvision model of the same name, with one class per map.

    Args:
        network: network with its weights, on any device.
        architecture: specification of the network.
        folder: the folder `native/` of the run; created if something is written.
        target: name and options of the target.

    Returns:
        The file; none for a classification network, which torchvision cannot use for segmentation.
    """
    import torch

    if _find(architecture.name).is_encoder:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{architecture.name}_finetuned.pth"
    state = network.state_dict()
    torch.save(
        {_to_torchvision(key): value.detach().cpu().contiguous() for key, value in state.items()}, path
    )
    return [path]


def _find(name: str) -> Model:
    if name not in MODELS:
        raise unknown("torchvision model", name, MODELS)
    return MODELS[name]


def _to_torchvision(key: str) -> str:
    """Convert a parameter name to torchvision's name."""
    return key.partition(".")[2]


def _from_torchvision(key: str) -> str:
    return f"{'encoder' if key.startswith('backbone.') else 'decoder'}.{key}"


def _weights(model: Model, start: LoadOptions) -> tuple[Checkpoint | None, Origin]:
    """Read the initial weights, with our parameter names, and describe their origin."""
    from finetune.weights.state_dict import read_state_dict

    name, checkpoint = model.info.name, start.checkpoint
    if checkpoint is None and not start.pretrained:
        return None, Origin(repository="torchvision", id=name, weights="random")
    if checkpoint is not None and (checkpoint.is_dir() or checkpoint.suffix == ".safetensors"):
        found = read_checkpoint(checkpoint)
        return found, origin(found, "torchvision", name)
    found = read_state_dict(checkpoint if checkpoint is not None else download_weights(name))
    if not model.is_encoder:
        # The auxiliary classifier is used only for training with all 21 classes.
        state = {
            _from_torchvision(key): value
            for key, value in found.state.items()
            if not key.startswith("aux_classifier.")
        }
        found = dataclasses.replace(found, state=state)
    base = Origin(
        repository="torchvision",
        id=name,
        weights="pretrained",
        sha256=found.sha256,
        terms=model.info.terms,
        citation=[model.citation],
    )
    return found, base


def _load(network: nn.Module, found: Checkpoint, model: Model, downloaded: bool) -> str | None:
    """Load the weights; returns a description of the loaded part if the last layer stays random."""
    state, expected = dict(found.state), network.state_dict()
    last = [key for key in expected if _to_torchvision(key).rpartition(".")[0] in model.last]
    there = [key for key in last if key in state]
    # Pretrained output layers predict classes of photographs, even if their number matches.
    keep = not downloaded and all(state[key].shape == expected[key].shape for key in there)
    if keep or not there:
        load_strictly(network, found)
        return None
    load_strictly(network, dataclasses.replace(found, state=state | {key: expected[key] for key in last}))
    return all_but(network, last, LAST_LAYER)
