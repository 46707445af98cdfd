"""Models of the package transformers, taken apart: an encoder, and maps from its features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from finetune.networks.encoder_decoder import EncoderDecoder, PyramidDecoder
from finetune.networks.hf_semantic import Semantic
from finetune.networks.mask2former import Mask2Former
from finetune.networks.mask2former_dynamic import take_any_size as mask2former_of_any_size
from finetune.networks.passthrough import PassthroughWeights
from finetune.networks.rgb_input import Rgb
from finetune.networks.sam2_dynamic import hiera, pyramid
from finetune.networks.sam_dynamic import take_any_size


class SegformerEncoder(nn.Module):
    """Images (N, C, H, W) -> features of strides 4, 8, 16 and 32."""

    def __init__(self, model: nn.Module, rgb: Rgb) -> None:
        """Take a SegformerModel."""
        super().__init__()
        self.rgb, self.model = rgb, model

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Images (N, C, H, W) float -> a tuple of features, the finest first."""
        return tuple(self.model(self.rgb(images), output_hidden_states=True).hidden_states)


class SegformerDecoder(nn.Module):
    """SegFormer's own decoder: features of an image of size (H, W) -> raw maps (N, K, H, W)."""

    def __init__(self, head: nn.Module) -> None:
        """Take a SegformerDecodeHead."""
        super().__init__()
        self.head = head

    def forward(self, features: Sequence[torch.Tensor], size: Sequence[int]) -> torch.Tensor:
        """Features, and (H, W) -> raw maps (N, K, H, W)."""
        return _enlarge(self.head(tuple(features)), size)


class SamEncoder(nn.Module):
    """The ViT of Segment Anything: images (N, C, H, W) of any size -> features of stride 16.

    Its absolute positions, learned for 1024 × 1024 pixels, are interpolated to the size at hand, as its
    relative ones are; see `sam_any_size`.
    """

    def __init__(self, model: nn.Module, rgb: Rgb) -> None:
        """Take a SamVisionEncoder, whose attention is changed to take any size."""
        super().__init__()
        self.rgb, self.model = rgb, take_any_size(model)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Images (N, C, H, W) float -> (features,)."""
        model: Any = self.model
        x = model.patch_embed.projection(self.rgb(images))
        if model.pos_embed is not None:
            positions = model.pos_embed.permute(0, 3, 1, 2)
            x = x + F.interpolate(positions, size=x.shape[-2:], mode="bicubic", align_corners=False)
        x = x.permute(0, 2, 3, 1)
        for layer in model.layers:
            x = layer(x)
        return (model.neck(x),)


class Sam2Encoder(nn.Module):
    """The Hiera of SAM 2 with its feature pyramid: images (N, C, H, W) -> features of strides 4, 8 and 16."""

    onnx_by_tracing = True  # torch's newer exporter came to no end of it

    def __init__(self, model: nn.Module, rgb: Rgb) -> None:
        """Take a Sam2VisionModel."""
        super().__init__()
        self.rgb, self.model = rgb, model

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Images (N, C, H, W) float -> a tuple of features, the coarsest last."""
        model: Any = self.model
        levels = pyramid(model.neck, hiera(model.backbone, self.rgb(images)))
        return tuple(levels[: model.num_feature_levels])


def segformer(model: Any, rgb: Rgb, out_channels: int) -> EncoderDecoder:
    """Of a SegformerForSemanticSegmentation with K labels."""
    return EncoderDecoder(SegformerEncoder(model.segformer, rgb), SegformerDecoder(model.decode_head))


def semantic(model: Any, rgb: Rgb, out_channels: int) -> Semantic:
    """Of any AutoModelForSemanticSegmentation with K labels."""
    return Semantic(model, rgb)


def mask2former(model: Any, rgb: Rgb, out_channels: int) -> Mask2Former:
    """Of a Mask2FormerForUniversalSegmentation of one class, with K queries."""
    return Mask2Former(mask2former_of_any_size(model), rgb)


def sam(model: Any, rgb: Rgb, out_channels: int) -> EncoderDecoder:
    """Of a SamModel."""
    vision = model.config.vision_config
    decoder = PyramidDecoder([vision.output_channels], [vision.patch_size], out_channels)
    return EncoderDecoder(SamEncoder(model.vision_encoder, rgb), decoder, _rest(model))


def sam2(model: Any, rgb: Rgb, out_channels: int) -> EncoderDecoder:
    """Of a Sam2Model."""
    vision = model.config.vision_config
    finest = vision.backbone_config.patch_stride[0]
    strides = [finest * 2**level for level in range(vision.num_feature_levels)]
    decoder = PyramidDecoder([vision.fpn_hidden_size] * len(strides), strides, out_channels)
    return EncoderDecoder(Sam2Encoder(model.vision_encoder, rgb), decoder, _rest(model))


def _rest(model: nn.Module) -> PassthroughWeights:
    """What answers prompts, kept to be saved with it again."""
    state = model.state_dict().items()
    # Copies: transformers shares a tensor between two names, which safetensors refuses to write.
    return PassthroughWeights({key: value.clone() for key, value in state if "vision_encoder." not in key})


def _enlarge(maps: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
