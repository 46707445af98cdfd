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
    """Promptable SAM: images (N, C, S, S) and prompts to masks, with the interface of `Promptable`."""

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
        # Fixed random numbers: a buffer in the original SAM (`PositionEmbeddingRandom` in
        # segment_anything/modeling/prompt_encoder.py) and in SAM 2.
        self.prompt_encoder.shared_embedding.requires_grad_(False)
        # transformers stores them under two names; safetensors refuses two names for one tensor.
        shared = model.get_submodule(SHARED).state_dict().items()
        self.kept = PassthroughWeights({f"{SHARED}.{name}": tensor.clone() for name, tensor in shared})

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Encode images.

        Args:
            images: (N, C, S, S) float32.

        Returns:
            A tuple with one feature map (N, D, S / s, S / s), s the patch size.
        """
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
        """Run the prompt encoder and mask decoder for M prompts on one image.

        Either all M prompts start with a box, or none does.

        Args:
            features: features of the image, a tuple with (1, D, S / s, S / s).
            points: (M, P, 2) float32, x and y in pixels of the S × S image; a box is two corner points.
            labels: (M, P), kinds of the points, see `finetune.prompts.sampling`.
            prev_logits: (M, 1, S / 4, S / 4), logits of the mask that the last point corrects.
            multimask_output: whether to predict three masks, for ambiguous prompts such as a single point.

        Returns:
            K masks per prompt with their predicted IoU; K is 3 with `multimask_output`, else 1.
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
        """Embed points (M, P, 2) with labels (M, P) as tokens (M, P or P + 1, D), as `SamPromptEncoder` does.

        `SamPromptEncoder` embeds boxes and points separately. Here both take one path, so that every
        embedding has a gradient in every step, possibly 0: distributed training waits for the gradients of
        all parameters.
        """
        encoder = self.prompt_encoder
        if labels[0, 0] != UPPER_LEFT:  # without a box, SAM appends a padding point
            points, labels = F.pad(points, (0, 0, 0, 1)), F.pad(labels, (0, 1), value=NONE)
        side = (encoder.input_image_size, encoder.input_image_size)
        tokens = encoder.shared_embedding(points[:, None] + 0.5, side)[:, 0]
        labels = labels[..., None]
        tokens = torch.where(labels == NONE, encoder.not_a_point_embed.weight, tokens)
        for label, embedding in enumerate(encoder.point_embed):
            tokens = torch.where(labels == label, tokens + embedding.weight, tokens)
        return tokens


class PromptableSam2(nn.Module):
    """Promptable SAM 2: images (N, C, S, S) and prompts to masks, with the interface of `Promptable`."""

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
        """Encode images.

        Args:
            images: (N, C, S, S) float32.

        Returns:
            Features (N, Cᵢ, S / s, S / s) of strides s = 4, 8 and 16.
        """
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
        """Run the prompt encoder and mask decoder for M prompts on one image.

        Args:
            features: features of the image, (1, Cᵢ, S / s, S / s).
            points: (M, P, 2) float32, x and y in pixels of the S × S image; a box is two corner points.
            labels: (M, P), kinds of the points, see `finetune.prompts.sampling`.
            prev_logits: (M, 1, S / 4, S / 4), logits of the mask that the last point corrects.
            multimask_output: whether to predict three masks, for ambiguous prompts such as a single point.

        Returns:
            K masks per prompt with their predicted IoU; K is 3 with `multimask_output`, else 1.
        """
        *fine, coarse = features
        # Box corners are points with their own labels, as in `Sam2PromptEncoder`.
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
    """Image position encoding (1, D, h, w), as `get_image_wide_positional_embeddings` computes it."""
    y, x = (
        (torch.arange(length, device=features.device, dtype=torch.float32) + 0.5) / length
        for length in features.shape[-2:]
    )
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    return embedding(grid).permute(2, 0, 1)[None]
