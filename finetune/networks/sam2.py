"""SAM 2 as encoder–decoder: its image encoder with a lightweight decoder; all other weights pass through."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import torch

from finetune.networks.encoder_decoder import EncoderDecoder, PyramidDecoder
from finetune.networks.passthrough import PassthroughWeights

ENCODER = "image_encoder."  # prefix of the encoder's parameter names in SAM 2
IMAGE_SIZE = 1024  # pixels: side of SAM 2's input image

# Prefixes of parameter names: in our network, and in SAM 2.
PARTS = {
    "encoder.": ENCODER,
    "prompt_encoder.": "sam_prompt_encoder.",
    "mask_decoder.": "sam_mask_decoder.",
    "no_mem_embed": "no_mem_embed",
    "kept.": "",
}

# Defaults that `sam2.build_sam.build_sam2` adds to the configuration: a mask that is sensitive to the
# threshold is replaced by the best of three. These options have no weights.
STABLE = {
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}


def build_whole(config: str, image_size: int = IMAGE_SIZE) -> Any:
    """Build the SAM 2 of the package `sam2` with random weights and an exportable image encoder.

    Parameter names are those of `sam2.build_sam.build_sam2(config)`.

    Args:
        config: a configuration file of the package, such as "configs/sam2.1/sam2.1_hiera_t.yaml".
        image_size: side of the square image for prompts, in pixels, a multiple of 32.

    Returns:
        The model, on torch's default device.
    """
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    model = OmegaConf.load(str(files("sam2") / config)).model
    model.image_size, model.sam_mask_decoder_extra_args = image_size, STABLE
    encoder = model.image_encoder
    encoder["_target_"] = "finetune.networks.hiera.ImageEncoder"
    encoder.trunk["_target_"] = "finetune.networks.hiera.Hiera"
    # Only video tracking uses this position encoding; it has no weights.
    encoder.neck.position_encoding = {"_target_": "torch.nn.Identity"}
    device = torch.get_default_device()
    with torch.device("cpu"):  # Hiera reads tensor values during construction; the meta device has none
        whole = instantiate(model, _convert_="all")
    return whole.to(device)


def automatic(whole: Any, out_channels: int, width: int) -> EncoderDecoder:
    """Build a network for single-pass segmentation from a SAM 2.

    Args:
        whole: result of `build_whole`; weights are shared, not copied.
        out_channels: K.
        width: channels inside the decoder, which has random weights.

    Returns:
        The network: SAM 2's image encoder, a new `PyramidDecoder`, and pass-through weights.
    """
    from finetune.networks.hiera import STRIDES

    encoder = whole.image_encoder
    channels = [encoder.neck.d_model] * len(STRIDES)
    rest = {name: tensor for name, tensor in whole.state_dict().items() if not name.startswith(ENCODER)}
    return EncoderDecoder(
        encoder, PyramidDecoder(channels, STRIDES, out_channels, width), PassthroughWeights(rest)
    )


def state_of_whole(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Convert the state dict of a network built from SAM 2 to the parameter names of the complete SAM 2.

    Args:
        state: state dict of an automatic or promptable network.

    Returns:
        State dict with SAM 2's names.
    """
    return {
        name + key.removeprefix(part): tensor
        for part, name in PARTS.items()
        for key, tensor in state.items()
        if key.startswith(part)
    }
