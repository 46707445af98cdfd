"""SAM2 taken apart: its image encoder under a light decoder, and the rest of it kept."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import torch

from finetune.networks.encoder_decoder import EncoderDecoder, PyramidDecoder
from finetune.networks.passthrough import PassthroughWeights

ENCODER = "image_encoder."  # how the names of its weights begin in SAM2
IMAGE_SIZE = 1024  # pixels: of the images that SAM2 was made for

# How the names of a network's weights begin, and how they do in SAM2.
PARTS = {
    "encoder.": ENCODER,
    "prompt_encoder.": "sam_prompt_encoder.",
    "mask_decoder.": "sam_mask_decoder.",
    "no_mem_embed": "no_mem_embed",
    "kept.": "",
}

# What `sam2.build_sam.build_sam2` adds to the configuration by default: for a mask that hangs on where its
# edge is cut, the best of three is taken instead. It has no weights.
STABLE = {
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}


def build_whole(config: str, image_size: int = IMAGE_SIZE) -> Any:
    """The package's SAM2, with random weights, on torch's default device, its image encoder exportable.

    The names of its weights are those of `sam2.build_sam.build_sam2(config)`.

    Args:
        config: a file of the package, such as "configs/sam2.1/sam2.1_hiera_t.yaml".
        image_size: of the images that prompts are for, in pixels, a multiple of 32.
    """
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    model = OmegaConf.load(str(files("sam2") / config)).model
    model.image_size, model.sam_mask_decoder_extra_args = image_size, STABLE
    encoder = model.image_encoder
    encoder["_target_"] = "finetune.networks.hiera.ImageEncoder"
    encoder.trunk["_target_"] = "finetune.networks.hiera.Hiera"
    # Only the rest of SAM2 asks where features lie; it has no weights.
    encoder.neck.position_encoding = {"_target_": "torch.nn.Identity"}
    device = torch.get_default_device()
    with torch.device("cpu"):  # a Hiera reads numbers back as it is built, which the meta device has none of
        whole = instantiate(model, _convert_="all")
    return whole.to(device)


def automatic(whole: Any, out_channels: int, width: int) -> EncoderDecoder:
    """A network that segments in a single pass.

    Args:
        whole: as `build_whole` gives it; its weights are taken, not copied.
        out_channels: K.
        width: channels inside the decoder, whose weights are random.
    """
    from finetune.networks.hiera import STRIDES

    encoder = whole.image_encoder
    channels = [encoder.neck.d_model] * len(STRIDES)
    rest = {name: tensor for name, tensor in whole.state_dict().items() if not name.startswith(ENCODER)}
    return EncoderDecoder(
        encoder, PyramidDecoder(channels, STRIDES, out_channels, width), PassthroughWeights(rest)
    )


def state_of_whole(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of all of SAM2, by its names, from those of a network that was made of one."""
    return {
        name + key.removeprefix(part): tensor
        for part, name in PARTS.items()
        for key, tensor in state.items()
        if key.startswith(part)
    }
