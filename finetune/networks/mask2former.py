"""Mask2Former of transformers: a set of queries, each of which finds one object and its mask.

Cheng et al. 2022, https://arxiv.org/abs/2112.01527. Nothing here imports transformers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from finetune.networks.rgb_input import Rgb

# What is new where the task is: as small as a last layer, and, for another number of queries, the queries.
FRESH = (
    "class_predictor",
    "model.transformer_module.queries_embedder",
    "model.transformer_module.queries_features",
)


class QueryLogits(NamedTuple):
    """What the loss is taken of: the answers of K queries, of each of L layers of the decoder.

    Attributes:
        classes: (L, N, K, 2): object, or none.
        masks: (L, N, K, H / 4, W / 4).
    """

    classes: torch.Tensor
    masks: torch.Tensor


class Mask2Former(nn.Module):
    """Images (N, C, H, W) -> K maps (N, K, H, W) in 0..1, one a query; while it trains, `QueryLogits`.

    A map is the probability that the query has found an object, times that of each pixel to be in its mask,
    as Mask2Former's own panoptic inference has it (`maskformer_model.py`, panoptic_inference, in
    https://github.com/facebookresearch/Mask2Former).
    """

    # torch's newer exporter proves of all sizes what it can: with 5 Swin layers and 2 of queries that took
    # 89 s on one core, and to trace it 2 s.
    onnx_by_tracing = True
    # Parts too small, or too new, for an adapter: `adapt: lora` trains them whole.
    trained_whole = tuple(f"model.{name}" for name in FRESH)

    def __init__(self, model: Any, rgb: Rgb) -> None:
        """Take a Mask2FormerForUniversalSegmentation of one class."""
        super().__init__()
        self.rgb, self.model = rgb, model
        predictor = model.model.transformer_module.decoder.mask_predictor
        # transformers keeps these layers in plain lists, too, where an adapter put in their place is not
        # seen. The names of the weights stay the same.
        predictor.mask_embedder = nn.Sequential(
            *(nn.Sequential(*block.layers) for block in predictor.mask_embedder.layers)
        )
        # A backbone's last normalization, which a Swin has besides those that are used: without a gradient,
        # processes that train together would wait for one.
        unused = getattr(getattr(model.model.pixel_level_module.encoder, "swin", None), "layernorm", None)
        if unused is not None:
            unused.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor | QueryLogits:
        """Images (N, C, H, W) float -> maps (N, K, H, W), or, in training mode, `QueryLogits`."""
        # The layers' states, from which classes are predicted, come along with all others only.
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
