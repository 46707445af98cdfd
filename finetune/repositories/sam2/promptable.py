"""SAM 2 with prompts: its single-image part, trained and saved in SAM 2's own format.

See `finetune.repositories.sam2.repository` for models, license and automatic segmentation.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from cards.base import NetworkSpec
from finetune.repositories.base import Loaded, LoadOptions
from finetune.repositories.capabilities import NativePackage
from finetune.repositories.options import complete
from finetune.repositories.point_batches import decode_in_batches
from finetune.repositories.sam2 import repository as sam2
from finetune.repositories.sam2.models import MODELS
from finetune.repositories.sam2.weights import find_weights, load_whole
from finetune.utils.optional import require
from finetune.utils.options import Options
from finetune.weights.checkpoint import Checkpoint, options_of

if TYPE_CHECKING:
    from torch import nn

NATIVE = NativePackage(
    weights="*.pt",
    format="pytorch",
    package="sam2",
    labels_by="SAM2AutomaticMaskGenerator, as the package sam2 sets it, without prompts",
)
LEARNING_RATE = 1e-5  # nothing begins at random; sam2's own fine-tuning takes 5e-6


class PromptOptions(Options):
    """Options of a promptable SAM2."""

    image_size: int = Field(
        256,
        ge=64,
        le=1024,
        multiple_of=32,
        description="side of the square that images are resized to, in pixels",
    )


def options_model(name: str) -> type[BaseModel] | None:
    """Options that a recipe may set for a model that is trained with prompts.

    Args:
        name: of the model.

    Returns:
        A pydantic model; None if there is no such model.
    """
    return PromptOptions if name in MODELS else None


def load(name: str, start: LoadOptions) -> Loaded:
    """Load a promptable SAM 2 with weights from the Hub, a file or a run, or with random ones.

    Args:
        name: a key of `finetune.repositories.sam2.models.MODELS`.
        start: initialization options. Images have at most 3 channels; a single channel is repeated. The
            option `image_size` is the side of the square that images are resized to, in pixels; by default
            that of the checkpoint's run, or 256. A checkpoint is a run of finetune (interactive or
            automatic), or a file as published by SAM 2.

    Returns:
        The network with its initial weights.

    Raises:
        ModelError: if model, options, channels and checkpoint do not fit together, or a download fails.
    """
    require("sam2", "sam2")
    import torch

    from finetune.networks.hiera import DIVISOR
    from finetune.networks.sam2 import state_of_whole
    from finetune.networks.sam2_promptable import Promptable

    found, base = find_weights(name, start)
    options = _complete(name, start.options, found)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(start.seed)
        whole = sam2.build_whole(name, start.in_channels, options["image_size"])
    if found:
        if any(key.startswith("kept.") for key in found.state):
            found = dataclasses.replace(found, state=state_of_whole(found.state))
        load_whole(whole, name, found)
    return Loaded(
        network=Promptable(whole),
        architecture=NetworkSpec(repository="sam2", name=name, options=options),
        divisor=DIVISOR,
        origin=base,
        learning_rate=sam2.LEARNING_RATE if base.weights == "random" else LEARNING_RATE,
        normalize=sam2.NORMALIZE,
        encoder=("encoder",),
    )


def automatic(network: nn.Module, architecture: NetworkSpec) -> Any:
    """Build the package's SAM2AutomaticMaskGenerator with its default settings on a copy of the weights.

    Args:
        network: network with its weights, on any device.
        architecture: specification of the network, from `load`.

    Returns:
        The generator.
    """
    require("sam2", "sam2")
    from sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator

    from finetune.networks.sam2 import state_of_whole
    from finetune.weights.torchscript_check import deprecation_ignored

    whole = _build(architecture, str(next(network.parameters()).device))
    whole.load_state_dict(state_of_whole(network.state_dict()))
    with deprecation_ignored():
        generator = SAM2AutomaticMaskGenerator(whole)
    _fit_image_size(generator.predictor)
    if generator.predictor.device.type == "cpu":
        _divide_points(generator.predictor)
    return generator


def predictor(checkpoint: Path, architecture: NetworkSpec) -> Any:
    """Build the package's SAM2ImagePredictor on the CPU.

    Args:
        checkpoint: a file written by `repository.save`.
        architecture: specification of the network.

    Returns:
        The predictor.
    """
    require("sam2", "sam2")
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    from finetune.weights.torchscript_check import deprecation_ignored

    with deprecation_ignored():
        found = SAM2ImagePredictor(_build(architecture, "cpu", checkpoint))
    _fit_image_size(found)
    return found


def _build(architecture: NetworkSpec, device: str, checkpoint: Path | None = None) -> Any:
    """Build the model with `sam2.build_sam.build_sam2`, for the network's image size."""
    from sam2.build_sam import HF_MODEL_ID_TO_FILENAMES, build_sam2

    config = HF_MODEL_ID_TO_FILENAMES[f"facebook/{architecture.name}"][0]
    size = f"++model.image_size={architecture.options['image_size']}"
    return build_sam2(config, checkpoint and str(checkpoint), device, hydra_overrides_extra=[size])


def _fit_image_size(predictor: Any) -> None:
    """Set the feature sizes of a SAM2ImagePredictor, which assumes an image size of 1024."""
    image_size = predictor.model.image_size
    predictor._bb_feat_sizes = [(image_size // stride,) * 2 for stride in (4, 8, 16)]


def _divide_points(predictor: Any) -> None:
    """Let a SAM2ImagePredictor decode the points of the mask generator in small batches."""
    import torch

    predict = predictor._predict

    def divided(points: torch.Tensor, labels: torch.Tensor, **options: Any) -> tuple[torch.Tensor, ...]:
        parts = decode_in_batches(
            lambda part: predict(points[part], labels[part], **options),
            len(points),
            predictor.model.image_size,
        )
        return tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))

    predictor._predict = divided


def _complete(name: str, options: dict[str, Any], found: Checkpoint | None) -> dict[str, Any]:
    """Complete the options: from the recipe, else from the checkpoint, else the defaults."""
    if found:
        recorded = options_of(found, "sam2", name, {})  # an error if the checkpoint is of another model
        options = {key: recorded[key] for key in PromptOptions.model_fields if key in recorded} | options
    return complete(name, options, PromptOptions)
