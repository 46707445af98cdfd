"""Promptable SAM2: image encoder, prompt encoder and mask decoder of the package `sam2` 1.1.0.

Predicts the same masks for the same prompts as `sam2.sam2_image_predictor.SAM2ImagePredictor`, for any image
size. Weights that SAM2 uses for videos only are saved with the model but never executed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from finetune.networks.passthrough import PassthroughWeights

# Prefixes, in SAM 2, of the parameters that images and prompts need; the others are for videos.
EXECUTED = ("image_encoder.", "sam_prompt_encoder.", "sam_mask_decoder.", "no_mem_embed")


class MaskPrediction(NamedTuple):
    """Masks predicted for M prompts.

    Attributes:
        logits: (M, K, S / 4, S / 4), above 0 inside the mask.
        iou: (M, K), predicted IoU of each mask.
    """

    logits: torch.Tensor
    iou: torch.Tensor


class Promptable(nn.Module):
    """Promptable SAM 2: images (N, C, S, S) and prompts to masks."""

    def __init__(self, whole: Any) -> None:
        """Wrap a SAM2 model; weights are shared, not copied.

        Args:
            whole: result of `finetune.networks.sam2.build_whole`.
        """
        super().__init__()
        self.image_size: int = whole.image_size
        self.encoder = whole.image_encoder
        self.prompt_encoder, self.mask_decoder = whole.sam_prompt_encoder, whole.sam_mask_decoder
        self.no_mem_embed = whole.no_mem_embed
        state = whole.state_dict()
        self.kept = PassthroughWeights(
            {name: tensor for name, tensor in state.items() if not name.startswith(EXECUTED)}
        )
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
        return decoder.conv_s0(fine), decoder.conv_s1(middle), coarse + self.no_mem_embed.view(1, -1, 1, 1)

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
        sparse, dense = self.prompt_encoder(points=(points, labels), boxes=None, masks=prev_logits)
        logits, iou, _, _ = self.mask_decoder(
            image_embeddings=coarse,
            image_pe=self.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask_output,
            repeat_image=True,
            high_res_features=fine,
        )
        return MaskPrediction(logits, iou)
