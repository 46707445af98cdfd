"""Promptable SAM and SAM 2 of transformers: image encoder, prompt encoder and mask decoder.

The networks predict the same masks for the same prompts as `SamModel.forward` and `Sam2Model.forward`. Those
take one previous mask per image; here each prompt is an image of its own with shared features, so that M
prompts are corrected in one call.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from finetune.networks.hf_encoders import Sam2Encoder, SamEncoder
from finetune.networks.passthrough import PassthroughWeights
from finetune.networks.prompt_labels import NONE, UPPER_LEFT
from finetune.networks.rgb_input import Rgb
from finetune.networks.sam2_promptable import MaskPrediction

SHARED = "shared_image_embedding"


class PromptableSam(nn.Module):
    """Images (N, C, S, S) and prompts -> masks; as `finetune.networks.sam2_promptable.Promptable`."""

    def __init__(self, model: Any, rgb: Rgb) -> None:
        """Wrap a SamModel; weights are shared, not copied.

        Args:
            model: a SamModel; its configuration sets the image size.
            rgb: scales the image as the pretrained weights expect.
        """
        super().__init__()
        self.image_size: int = model.config.vision_config.image_size
        self.encoder = SamEncoder(model.vision_encoder, rgb)
        self.prompt_encoder, self.mask_decoder = model.prompt_encoder, model.mask_decoder
        # Random numbers that stay as they are: in SAM as it was published they are a buffer
        # (`PositionEmbeddingRandom` in segment_anything/modeling/prompt_encoder.py), as they are in SAM 2.
        self.prompt_encoder.shared_embedding.requires_grad_(False)
        # transformers has them under two names, which safetensors refuses to write of one tensor.
        shared = model.get_submodule(SHARED).state_dict().items()
        self.kept = PassthroughWeights({f"{SHARED}.{name}": tensor.clone() for name, tensor in shared})

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Images (N, C, S, S) -> the features for `predict_masks`: (N, D, S / s, S / s), s of a patch."""
        return self.encoder(images)

    def predict_masks(
        self,
        features: tuple[torch.Tensor, ...],
        points: torch.Tensor,
        labels: torch.Tensor,
        prev_logits: torch.Tensor | None = None,
        *,
        multimask_output: bool,
    ) -> MaskPrediction:
        """See `sam2_promptable.Promptable.predict_masks`.

        Either all M prompts start with a box, or none does.
        """
        _, dense = self.prompt_encoder(None, None, None, prev_logits)
        (coarse,) = features
        logits, iou = self.mask_decoder(
            image_embeddings=coarse.expand(len(points), -1, -1, -1),
            image_positional_embeddings=_positions(self.prompt_encoder.shared_embedding, coarse),
            sparse_prompt_embeddings=self._embed(points, labels)[:, None],
            dense_prompt_embeddings=dense,
            multimask_output=multimask_output,
        )
        return MaskPrediction(logits[:, 0], iou[:, 0])

    def _embed(self, points: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Points (M, P, 2) and labels (M, P) -> tokens (M, P or P + 1, D), as `SamPromptEncoder` has them.

        It takes boxes apart from points. Here they go one way, so that each kind of prompt has a gradient in
        each step, if only of 0: several processes that train together wait for all.
        """
        encoder = self.prompt_encoder
        if labels[0, 0] != UPPER_LEFT:  # where there is no box, SAM adds a point that is none
            points, labels = F.pad(points, (0, 0, 0, 1)), F.pad(labels, (0, 1), value=NONE)
        side = (encoder.input_image_size, encoder.input_image_size)
        tokens = encoder.shared_embedding(points[:, None] + 0.5, side)[:, 0]
        labels = labels[..., None]
        tokens = torch.where(labels == NONE, encoder.not_a_point_embed.weight, tokens)
        for label, embedding in enumerate(encoder.point_embed):
            tokens = torch.where(labels == label, tokens + embedding.weight, tokens)
        return tokens


class PromptableSam2(nn.Module):
    """Images (N, C, S, S) and prompts -> masks; as `finetune.networks.sam2_promptable.Promptable`."""

    def __init__(self, model: Any, rgb: Rgb) -> None:
        """Wrap a Sam2Model; weights are shared, not copied.

        Args:
            model: a Sam2Model; its configuration sets the image size.
            rgb: scales the image as the pretrained weights expect.
        """
        super().__init__()
        self.image_size: int = model.config.prompt_encoder_config.image_size
        self.encoder = Sam2Encoder(model.vision_encoder, rgb)
        self.prompt_encoder, self.mask_decoder = model.prompt_encoder, model.mask_decoder
        self.shared_image_embedding = model.get_submodule(SHARED)
        self.no_memory_embedding = model.no_memory_embedding
        # Predicts whether the object is visible, for videos; here every prompt marks a visible object.
        self.mask_decoder.pred_obj_score_head.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Encode images (N, C, S, S) into features (N, Cᵢ, S / s, S / s) of strides s = 4, 8 and 16."""
        fine, middle, coarse = self.encoder(images)
        decoder = self.mask_decoder
        empty = self.no_memory_embedding.view(1, -1, 1, 1)
        return decoder.conv_s0(fine), decoder.conv_s1(middle), coarse + empty

    def predict_masks(
        self,
        features: tuple[torch.Tensor, ...],
        points: torch.Tensor,
        labels: torch.Tensor,
        prev_logits: torch.Tensor | None = None,
        *,
        multimask_output: bool,
    ) -> MaskPrediction:
        """See `sam2_promptable.Promptable.predict_masks`."""
        *fine, coarse = features
        # Corners of a box are points of a kind of their own: what `Sam2PromptEncoder` makes of boxes, too.
        sparse, dense = self.prompt_encoder(points[:, None], labels[:, None], None, prev_logits)
        logits, iou, _, _ = self.mask_decoder(
            image_embeddings=coarse.expand(len(points), -1, -1, -1),
            image_positional_embeddings=_positions(self.shared_image_embedding, coarse),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask_output,
            high_resolution_features=fine,
        )
        return MaskPrediction(logits[:, 0], iou[:, 0])


def _positions(embedding: nn.Module, features: torch.Tensor) -> torch.Tensor:
    """Where features (N, D, h, w) lie: (1, D, h, w), as `get_image_wide_positional_embeddings` gives it."""
    y, x = (
        (torch.arange(length, device=features.device, dtype=torch.float32) + 0.5) / length
        for length in features.shape[-2:]
    )
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    return embedding(grid).permute(2, 0, 1)[None]
