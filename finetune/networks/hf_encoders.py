"""Encoders and decoders from models of the package transformers."""

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
    """SegFormer encoder: images (N, C, H, W) to features of strides 4, 8, 16 and 32."""

    def __init__(self, model: nn.Module, rgb: Rgb) -> None:
        """Wrap a SegformerModel.

        Args:
            model: a SegformerModel.
            rgb: conversion to normalized RGB.
        """
        super().__init__()
        self.rgb, self.model = rgb, model

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Encode images.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Features (N, Cᵢ, H / s, W / s), finest first.
        """
        return tuple(self.model(self.rgb(images), output_hidden_states=True).hidden_states)


class SegformerDecoder(nn.Module):
    """SegFormer's all-MLP decoder: features to raw maps (N, K, H, W)."""

    def __init__(self, head: nn.Module) -> None:
        """Wrap a SegformerDecodeHead.

        Args:
            head: a SegformerDecodeHead.
        """
        super().__init__()
        self.head = head

    def forward(self, features: Sequence[torch.Tensor], size: Sequence[int]) -> torch.Tensor:
        """Predict raw maps from features.

        Args:
            features: (N, Cᵢ, H / s, W / s), finest first.
            size: (H, W) of the image in pixels.

        Returns:
            Raw maps (N, K, H, W), upsampled bilinearly.
        """
        return _enlarge(self.head(tuple(features)), size)


class SamEncoder(nn.Module):
    """Segment Anything's ViT: images (N, C, H, W) of any size to features of stride 16.

    Absolute position embeddings, learned for 1024 × 1024 px, are interpolated to the input size, as the
    relative ones are; see `finetune.networks.sam_dynamic`.
    """

    def __init__(self, model: nn.Module, rgb: Rgb) -> None:
        """Wrap a SamVisionEncoder and replace its attention by one for any input size.

        Args:
            model: a SamVisionEncoder; modified in place.
            rgb: conversion to normalized RGB.
        """
        super().__init__()
        self.rgb, self.model = rgb, take_any_size(model)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Encode images.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            A tuple with one feature map (N, D, H / 16, W / 16).
        """
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
    """SAM 2's Hiera with feature pyramid: images (N, C, H, W) to features of strides 4, 8 and 16."""

    onnx_by_tracing = True  # torch's newer exporter did not finish

    def __init__(self, model: nn.Module, rgb: Rgb) -> None:
        """Wrap a Sam2VisionModel.

        Args:
            model: a Sam2VisionModel.
            rgb: conversion to normalized RGB.
        """
        super().__init__()
        self.rgb, self.model = rgb, model

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Encode images.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Features (N, D, H / s, W / s), finest first.
        """
        model: Any = self.model
        levels = pyramid(model.neck, hiera(model.backbone, self.rgb(images)))
        return tuple(levels[: model.num_feature_levels])


def segformer(model: Any, rgb: Rgb, out_channels: int) -> EncoderDecoder:
    """Build an encoder–decoder from a SegFormer.

    Args:
        model: a SegformerForSemanticSegmentation with K labels.
        rgb: conversion to normalized RGB.
        out_channels: K; already set in the model.

    Returns:
        The network; weights are shared with `model`.
    """
    return EncoderDecoder(SegformerEncoder(model.segformer, rgb), SegformerDecoder(model.decode_head))


def semantic(model: Any, rgb: Rgb, out_channels: int) -> Semantic:
    """Wrap a semantic segmentation model of any architecture.

    Args:
        model: an AutoModelForSemanticSegmentation with K labels.
        rgb: conversion to normalized RGB.
        out_channels: K; already set in the model.

    Returns:
        The network; weights are shared with `model`.
    """
    return Semantic(model, rgb)


def mask2former(model: Any, rgb: Rgb, out_channels: int) -> Mask2Former:
    """Wrap a Mask2Former and adapt it to any image size.

    Args:
        model: a Mask2FormerForUniversalSegmentation with one class and K queries; modified in place.
        rgb: conversion to normalized RGB.
        out_channels: K; already set in the model.

    Returns:
        The network; weights are shared with `model`.
    """
    return Mask2Former(mask2former_of_any_size(model), rgb)


def sam(model: Any, rgb: Rgb, out_channels: int) -> EncoderDecoder:
    """Build an encoder–decoder from the image encoder of SAM.

    Args:
        model: a SamModel.
        rgb: conversion to normalized RGB.
        out_channels: K, output channels of the new decoder.

    Returns:
        The network: encoder weights shared with `model`, a new `PyramidDecoder`, and pass-through weights.
    """
    vision = model.config.vision_config
    decoder = PyramidDecoder([vision.output_channels], [vision.patch_size], out_channels)
    return EncoderDecoder(SamEncoder(model.vision_encoder, rgb), decoder, _rest(model))


def sam2(model: Any, rgb: Rgb, out_channels: int) -> EncoderDecoder:
    """Build an encoder–decoder from the image encoder of SAM 2.

    Args:
        model: a Sam2Model.
        rgb: conversion to normalized RGB.
        out_channels: K, output channels of the new decoder.

    Returns:
        The network: encoder weights shared with `model`, a new `PyramidDecoder`, and pass-through weights.
    """
    vision = model.config.vision_config
    finest = vision.backbone_config.patch_stride[0]
    strides = [finest * 2**level for level in range(vision.num_feature_levels)]
    decoder = PyramidDecoder([vision.fpn_hidden_size] * len(strides), strides, out_channels)
    return EncoderDecoder(Sam2Encoder(model.vision_encoder, rgb), decoder, _rest(model))


def _rest(model: nn.Module) -> PassthroughWeights:
    """Collect prompt encoder, mask decoder and all other weights that the network does not execute."""
    state = model.state_dict().items()
    # Copies: transformers shares a tensor between two names, which safetensors refuses to write.
    return PassthroughWeights({key: value.clone() for key, value in state if "vision_encoder." not in key})


def _enlarge(maps: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
