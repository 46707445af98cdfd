"""Mask2Former of transformers: each of a set of queries predicts one object and its mask.

Cheng et al. 2022, https://arxiv.org/abs/2112.01527. This module does not import transformers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from finetune.networks.rgb_input import Rgb

# Parts with random weights for a new task: the class predictor and, if their number changes, the queries.
TASK_SPECIFIC = (
    "class_predictor",
    "model.transformer_module.queries_embedder",
    "model.transformer_module.queries_features",
)


class QueryLogits(NamedTuple):
    """Logits of K queries for each of L decoder layers, the input of the loss.

    Attributes:
        classes: (L, N, K, 2), logits of object and no object.
        masks: (L, N, K, H / 4, W / 4), mask logits.
    """

    classes: torch.Tensor
    masks: torch.Tensor


class Mask2Former(nn.Module):
    """Images (N, C, H, W) to one map per query (N, K, H, W) in 0..1; in training mode, to `QueryLogits`.

    A map is the probability that the query is an object times the mask probability of each pixel, as in
    Mask2Former's panoptic inference (`maskformer_model.py`, panoptic_inference, in
    https://github.com/facebookresearch/Mask2Former).
    """

    # torch's newer exporter took 89 s on one core for 5 Swin layers and 2 query layers; tracing took 2 s.
    onnx_by_tracing = True
    # Too small or newly initialized, so a low-rank update is useless: `adapt: lora` trains them fully.
    trained_whole = tuple(f"model.{name}" for name in TASK_SPECIFIC)

    def __init__(self, model: Any, rgb: Rgb) -> None:
        """Wrap a Mask2Former with one class.

        Args:
            model: a Mask2FormerForUniversalSegmentation with one class; modified in place.
            rgb: conversion to normalized RGB.
        """
        super().__init__()
        self.rgb, self.model = rgb, model
        predictor = model.model.transformer_module.decoder.mask_predictor
        # transformers also keeps these layers in plain lists, which would ignore an adapter that replaces
        # them. Parameter names stay the same.
        predictor.mask_embedder = nn.Sequential(
            *(nn.Sequential(*block.layers) for block in predictor.mask_embedder.layers)
        )
        # A Swin backbone has an unused final normalization: distributed training would wait for its gradient.
        unused = getattr(getattr(model.model.pixel_level_module.encoder, "swin", None), "layernorm", None)
        if unused is not None:
            unused.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor | QueryLogits:
        """Predict one map per query.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Maps (N, K, H, W) float32 in 0..1, or `QueryLogits` in training mode.
        """
        # Auxiliary class logits need the hidden states of all layers.
        output = self.model(self.rgb(images), output_hidden_states=True, output_auxiliary_logits=True)
        classes, masks = output.class_queries_logits, output.masks_queries_logits
        if self.training:
            layers = output.auxiliary_logits
            return QueryLogits(
                torch.stack([*(layer["class_queries_logits"] for layer in layers), classes]),
                torch.stack([*(layer["masks_queries_logits"] for layer in layers), masks]),
            )
        found = classes.float().softmax(dim=-1)[..., 0, None, None]
        masks = F.interpolate(masks.float(), size=images.shape[-2:], mode="bilinear", align_corners=False)
        return found * masks.sigmoid()
