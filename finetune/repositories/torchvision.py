"""torchvision (PyTorch Hub): DeepLabV3, FCN and LR-ASPP with any target.

The pretrained weights were trained on the 20 classes of Pascal VOC in photographs (COCO). torch's own loader
downloads them from PyTorch's server into `TORCH_HOME` and checks the hash in the file name.
"""

from __future__ import annotations

import dataclasses
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cards.base import NetworkSpec
from cards.errors import ModelError
from cards.record import Origin
from finetune.errors import unknown
from finetune.repositories.base import Built, Loaded, LoadOptions, ModelInfo
from finetune.repositories.options import complete
from finetune.utils.optional import require
from finetune.utils.options import NoOptions
from finetune.weights.checkpoint import Checkpoint, load_strictly, options_of, origin, read_checkpoint

if TYPE_CHECKING:
    from torch import nn

# README of torchvision, "Pre-trained Model License". The library's BSD-3-Clause says nothing of weights.
TERMS = (
    "torchvision states no license for these weights: they may have terms of their own, derived from the "
    "data they learned from (COCO), and it is for the user to determine whether the use is permitted "
    "(https://github.com/pytorch/vision, Pre-trained Model License)."
)
DEEPLAB = "Chen et al. 2017, Rethinking Atrous Convolution, https://arxiv.org/abs/1706.05587"
FCN = "Long, Shelhamer & Darrell 2015, Fully Convolutional Networks, https://arxiv.org/abs/1411.4038"
LRASPP = "Howard et al. 2019, Searching for MobileNetV3, https://arxiv.org/abs/1905.02244"

NORMALIZE = {
    "name": "percentile",
    "low": 1.0,
    "high": 99.8,
}  # to 0..1, which ImageNet's mean is of


@dataclasses.dataclass(frozen=True)
class _Model:
    """A model with the properties that `ModelInfo` does not have."""

    info: ModelInfo
    citation: str
    stride: int  # of its coarsest features, in pixels
    last: tuple[str, ...]  # layers that give the maps, as torchvision calls them


def _model(name: str, title: str, parameters: int, citation: str, stride: int, *last: str) -> _Model:
    info = ModelInfo(
        name=name,
        title=title,
        task="segmentation",
        license=None,
        learning_rate=3e-4,
        learning_rates=(1e-6, 1e-2),
        parameters=parameters,
    )
    return _Model(info, citation, stride, last)


# Parameters: of the weights' `meta["num_params"]` in torchvision 0.21 (21 classes, auxiliary classifier).
MODELS = {
    model.info.name: model
    for model in (
        _model("deeplabv3_resnet50", "DeepLabV3 on ResNet-50", 42_004_074, DEEPLAB, 8, "classifier.4"),
        _model("deeplabv3_resnet101", "DeepLabV3 on ResNet-101", 60_996_202, DEEPLAB, 8, "classifier.4"),
        _model(
            "deeplabv3_mobilenet_v3_large",
            "DeepLabV3 on MobileNetV3, small",
            11_029_328,
            DEEPLAB,
            16,
            "classifier.4",
        ),
        _model("fcn_resnet50", "FCN on ResNet-50", 35_322_218, FCN, 8, "classifier.4"),
        _model("fcn_resnet101", "FCN on ResNet-101", 54_314_346, FCN, 8, "classifier.4"),
        _model(
            "lraspp_mobilenet_v3_large",
            "LR-ASPP on MobileNetV3, smallest",
            3_221_538,
            LRASPP,
            16,
            "classifier.low_classifier",
            "classifier.high_classifier",
        ),
    )
}


def models() -> list[ModelInfo]:
    """List the models.

    Returns:
        Descriptions of all models that have a name.
    """
    return [model.info for model in MODELS.values()]


def options_model(name: str) -> type[BaseModel] | None:
    """Options that a recipe may set for a model.

    Args:
        name: of the model.

    Returns:
        A pydantic model without fields; None if there is no such model.
    """
    return NoOptions if name in MODELS else None


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
    complete(name, options, NoOptions)
    if in_channels > 3:
        raise ModelError(
            f"model {name} accepts at most 3 channels, but the images have {in_channels}; "
            "select them with data.channels, such as [0, 1, 2]"
        )
    require("torchvision", "torchvision")
    from finetune.networks.torchvision_segmentation import build_torchvision

    return Built(
        network=build_torchvision(name, out_channels),
        architecture=NetworkSpec(repository="torchvision", name=name, options={}),
        divisor=model.stride,
    )


def load(name: str, start: LoadOptions) -> Loaded:
    """Load a network with torchvision's weights, those of a checkpoint, or random ones.

    Args:
        name: a key of `MODELS`.
        start: initialization options. Images have at most 3 channels; a single channel is repeated. There are
            no options. The last layer is initialized randomly unless a checkpoint has one with the same
            number of maps. A checkpoint is a run of finetune, or a .pth file with torchvision's own keys. The
            weights have no revision.

    Returns:
        The network with its initial weights.

    Raises:
        ModelError: if model, options, channels and checkpoint do not fit together, or a download fails.
    """
    require("torchvision", "torchvision")
    import torch

    model = _find(name)
    if start.revision is not None and start.checkpoint is None:
        raise ModelError(
            f"model.revision: the weights of {name} have no revisions; their SHA-256 is recorded"
        )
    found, base = _weights(model, start)
    options = options_of(found, "torchvision", name, start.options) if found else start.options
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(start.seed)
        built = build(name, in_channels=start.in_channels, out_channels=start.out_channels, options=options)
    if found:
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
        The file.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{architecture.name}_finetuned.pth"
    state = network.state_dict()
    torch.save(
        {_to_torchvision(key): value.detach().cpu().contiguous() for key, value in state.items()}, path
    )
    return [path]


def _find(name: str) -> _Model:
    if name not in MODELS:
        raise unknown("model of repository torchvision", name, MODELS)
    return MODELS[name]


def _to_torchvision(key: str) -> str:
    """Convert a parameter name to torchvision's name."""
    return key.partition(".")[2]


def _from_torchvision(key: str) -> str:
    return f"{'encoder' if key.startswith('backbone.') else 'decoder'}.{key}"


def _weights(model: _Model, start: LoadOptions) -> tuple[Checkpoint | None, Origin]:
    """Read the initial weights, with our parameter names, and describe their origin."""
    from finetune.weights.state_dict import read_state_dict

    name, checkpoint = model.info.name, start.checkpoint
    if checkpoint is None and not start.pretrained:
        return None, Origin(repository="torchvision", id=name, weights="random")
    if checkpoint is not None and (checkpoint.is_dir() or checkpoint.suffix == ".safetensors"):
        found = read_checkpoint(checkpoint)
        return found, origin(found, "torchvision", name)
    found = read_state_dict(checkpoint if checkpoint is not None else _download(name))
    # The auxiliary classifier is used only for training with all 21 classes.
    state = {
        _from_torchvision(key): value
        for key, value in found.state.items()
        if not key.startswith("aux_classifier.")
    }
    base = Origin(
        repository="torchvision",
        id=name,
        weights="pretrained",
        sha256=found.sha256,
        terms=TERMS,
        citation=[model.citation],
    )
    return dataclasses.replace(found, state=state), base


def _load(network: nn.Module, found: Checkpoint, model: _Model, downloaded: bool) -> str | None:
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
    total = sum(parameter.numel() for parameter in network.parameters())
    loaded = total - sum(expected[key].numel() for key in last)
    return f"all but the last layer ({loaded:,} of {total:,} parameters)"


def _download(name: str) -> Path:
    """Locate the weights file; download it if necessary.

    Raises:
        ModelError: if the download fails or the file is damaged.
    """
    import torch
    from torchvision.models import get_model_weights

    weights: Any = get_model_weights(name)
    url = weights.DEFAULT.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    try:
        weights.DEFAULT.get_state_dict(check_hash=True, progress=True, weights_only=True, map_location="cpu")
    except Exception as error:  # of urllib, of torch's check of the hash, and of a dozen kinds on reading
        if path.is_file():
            raise ModelError(f"{path}: not the weights of {name}, or truncated; delete the file") from error
        reason = textwrap.shorten(re.sub(r"[<>]", "", str(error)), 120)
        raise ModelError(
            f"{name}: its weights cannot be downloaded from {url} ({reason}): "
            "set model.checkpoint=PATH to a weights file, or model.pretrained=false for random weights"
        ) from error
    return path
