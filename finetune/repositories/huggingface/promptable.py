"""SAM and SAM 2 of transformers with prompts, trained and saved in their own format.

See `finetune.repositories.huggingface.repository` for model sources and automatic segmentation.
"""

from __future__ import annotations

import dataclasses
from math import lcm
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from cards.base import NetworkSpec
from cards.errors import ModelError
from cards.record import Origin
from finetune.repositories.base import Loaded, LoadOptions
from finetune.repositories.capabilities import NativePackage
from finetune.repositories.huggingface import repository as huggingface
from finetune.repositories.huggingface.files import read_model
from finetune.repositories.huggingface.models import ANY_MODEL
from finetune.repositories.huggingface.options import ImageOptions, complete
from finetune.utils.optional import require
from finetune.weights.checkpoint import load_strictly, options_of, origin

if TYPE_CHECKING:
    import torch
    from torch import nn

    from finetune.repositories.huggingface.architectures import Architecture
    from finetune.repositories.huggingface.mask_generation import Generator, Predictor

NATIVE = NativePackage(
    weights="model.safetensors",
    format="safetensors",
    package="transformers",
    labels_by="MaskGenerationPipeline, as the package transformers sets it, without prompts",
)
NETWORKS = {"sam": "PromptableSam", "sam2": "PromptableSam2"}  # by `Architecture.network`
LEARNING_RATE = 1e-5  # nothing begins at random; sam2's own fine-tuning takes 5e-6


class PromptOptions(ImageOptions):
    """Options of a promptable SAM or SAM 2. The architecture may require a larger divisor of `image_size`."""

    image_size: int = Field(
        256, ge=64, le=1024, description="side of the square that images are resized to, in pixels"
    )


def options_model(name: str) -> type[BaseModel] | None:
    """Options that a recipe may set for a model that is trained with prompts.

    Args:
        name: id on the Hub; all models have the same options.

    Returns:
        A pydantic model.
    """
    return PromptOptions


def load(name: str, start: LoadOptions) -> Loaded:
    """Load a promptable SAM or SAM 2 from the Hub, a folder or a run, or with random weights.

    Args:
        name: id on the Hub.
        start: initialization options. As in `repository.load`; in addition the option `image_size`, the side
            of the square that images are resized to, in pixels; by default that of the checkpoint's run, or
            256.

    Returns:
        The network with its initial weights.

    Raises:
        ModelError: if model, options, channels and checkpoint do not fit together, or a download fails.
    """
    require("transformers", "huggingface")
    import torch

    files, found = huggingface.find_weights(name, start)
    options, base = start.options, Origin(repository="huggingface", id=name, weights="random")
    if found:
        # May differ from the run's.
        image_size = {"image_size": options["image_size"]} if "image_size" in options else {}
        others = {key: value for key, value in options.items() if key not in image_size}
        options = options_of(found, "huggingface", name, others) | image_size
        base = origin(found, "huggingface", name)
    if files:
        options = huggingface.options_of_files(files, options)
    options = complete(name, start.in_channels, options, PromptOptions)
    kind = _kind(name, options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(start.seed)
        network, config, divisor = _build(name, kind, options)
    if files:
        from finetune.repositories.huggingface.architectures import read_config

        model, _ = read_model(files, kind, read_config(kind, options["config"], None, name), name)
        network.load_state_dict(_fit(kind, model.state_dict(), network))
    if found:
        state = {kind.to_transformers(key): tensor for key, tensor in found.state.items()}
        whole = {key: tensor for key, tensor in state.items() if key is not None}  # without a light decoder
        load_strictly(network, dataclasses.replace(found, state=_fit(kind, whole, network)))
    architecture = NetworkSpec(repository="huggingface", name=name, options=options | {"config": config})
    if files:
        base = huggingface.origin_of(name, files, None, architecture, on_hub=start.checkpoint is None)
    return Loaded(
        network=network,
        architecture=architecture,
        divisor=divisor,
        origin=base,
        learning_rate=ANY_MODEL.learning_rate if base.weights == "random" else LEARNING_RATE,
        normalize=huggingface.NORMALIZE,
        encoder=("encoder",),
    )


def automatic(network: nn.Module, architecture: NetworkSpec) -> Generator:
    """Build the MaskGenerationPipeline of transformers with its default settings and the same weights.

    Args:
        network: network with its weights, on any device.
        architecture: specification of the network, from `load`.

    Returns:
        The generator.
    """
    from finetune.repositories.huggingface import architectures as kinds
    from finetune.repositories.huggingface import conversion, messages
    from finetune.repositories.huggingface.mask_generation import Generator, build_processor

    config = architecture.options["config"]
    kind = kinds.kind_of(config, architecture.name)
    with messages.quiet():
        read = kinds.read_config(kind, config, None, architecture.name)
        model = conversion.back_to_transformers(kind, read, network.state_dict())
    return Generator(model.eval(), build_processor(architecture))


def predictor(checkpoint: Path, architecture: NetworkSpec) -> Predictor:
    """Load model and processor with transformers, on the CPU.

    Args:
        checkpoint: weights file in a folder written by `repository.save`.
        architecture: specification of the network.

    Returns:
        The predictor.
    """
    require("transformers", "huggingface")
    from transformers import AutoProcessor

    from finetune.repositories.huggingface import architectures as kinds
    from finetune.repositories.huggingface import messages
    from finetune.repositories.huggingface.mask_generation import Predictor

    kind = kinds.kind_of(architecture.options["config"], architecture.name)
    with messages.quiet():
        model = kinds.model_class(kind).from_pretrained(checkpoint.parent, local_files_only=True)
        processor = AutoProcessor.from_pretrained(checkpoint.parent, local_files_only=True)
    return Predictor(model.eval(), processor)


def _kind(name: str, options: dict[str, Any]) -> Architecture:
    """Look up the architecture of a promptable model."""
    from finetune.repositories.huggingface.architectures import kind_of

    kind = kind_of(options["config"], name)
    if kind.network not in NETWORKS:
        raise ModelError(
            f"model.target=prompts requires a promptable network; {name} is a {kind.model}: use "
            "SAM or SAM 2, such as facebook/sam-vit-base or facebook/sam2.1-hiera-tiny"
        )
    return kind


def _build(name: str, kind: Architecture, options: dict[str, Any]) -> tuple[nn.Module, dict[str, Any], int]:
    """The network with random weights, its configuration, and the divisor of its image size."""
    from finetune.networks import hf_promptable as transformer_prompts
    from finetune.networks.rgb_input import Rgb
    from finetune.repositories.huggingface import architectures as kinds
    from finetune.repositories.huggingface import messages
    from finetune.repositories.huggingface.network import windows

    config, image_size = kinds.read_config(kind, options["config"], None, name), options["image_size"]
    divisor = lcm(kind.divisor, *windows(kind, config))
    if image_size % divisor:
        raise ModelError(f"model {name}: image_size must be a multiple of {divisor} px, got {image_size}")
    _set_image_size(kind, config, image_size)
    with messages.quiet():
        try:
            model = kinds.model_class(kind)(config)
        except Exception as error:  # shapes that do not go together, found wherever they meet
            raise ModelError(
                f"a {kind.model} with this configuration cannot be built: {messages.first_lines(error)}"
            ) from error
    network = getattr(transformer_prompts, NETWORKS[kind.network])(
        model, Rgb(options["mean"], options["std"])
    )
    return network, kinds.write_config(kind, config), divisor


def _set_image_size(kind: Architecture, config: Any, image_size: int) -> None:
    """Set the image size everywhere in a configuration of transformers."""
    vision, prompts = config.vision_config, config.prompt_encoder_config
    prompts.image_size = image_size
    if kind.network == "sam":
        vision.image_size, prompts.image_embedding_size = image_size, image_size // prompts.patch_size
        return
    hiera = vision.backbone_config
    hiera.image_size = [image_size, image_size]
    strides = [hiera.patch_stride[0] * 2**level for level in range(vision.num_feature_levels)]
    vision.backbone_feature_sizes = [[image_size // stride] * 2 for stride in strides]


def _fit(kind: Architecture, state: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
    """Convert the weights of a transformers model to our parameter names and image size.

    SAM's position embeddings, learned for another image size, are interpolated once: absolute ones as in
    `SamEncoder`, relative ones as in transformers. SAM 2 interpolates them for each image.
    """
    import torch.nn.functional as F

    expected = network.state_dict()
    names = {kind.to_transformers(key): key for key in expected}
    fitted = {}
    for name, tensor in state.items():
        key = names.get(name, name)
        shape = expected[key].shape if key in expected else tensor.shape
        if tensor.shape != shape and name.endswith(".pos_embed") and tensor.ndim == 4:
            places = tensor.float().permute(0, 3, 1, 2)
            tensor = F.interpolate(places, shape[1:3], mode="bicubic", align_corners=False).permute(
                0, 2, 3, 1
            )
        if tensor.shape != shape and name.endswith((".rel_pos_h", ".rel_pos_w")):
            tensor = F.interpolate(tensor.float().t()[None], shape[0], mode="linear")[0].t()
        fitted[key] = tensor
    return fitted
