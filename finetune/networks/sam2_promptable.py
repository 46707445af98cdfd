"""SAM2 as it answers prompts: image encoder, prompt encoder and mask decoder of the package `sam2` 1.1.0.

Predicts the same masks for the same prompts as `sam2.sam2_image_predictor.SAM2ImagePredictor`, for any image
size. What SAM2 has for videos alone is kept, and not run.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from finetune.networks.passthrough import PassthroughWeights

RUN = ("image_encoder.", "sam_prompt_encoder.", "sam_mask_decoder.", "no_mem_embed")  # names in SAM2


class MaskPrediction(NamedTuple):
    """What SAM2 answers to M prompts.

    Attributes:
        logits: (M, K, S / 4, S / 4), above 0 in the mask.
        iou: (M, K), which IoU it expects of each mask.
    """

    logits: torch.Tensor
    iou: torch.Tensor


class Promptable(nn.Module):
    """Images (N, C, S, S) and prompts -> masks."""

    def __init__(self, whole: Any) -> None:
        """Take the weights of a SAM2, not copied.

        Args:
            whole: as `finetune.networks.sam2.build_whole` gives it.
        """
        super().__init__()
        self.image_size: int = whole.image_size
        self.encoder = whole.image_encoder
        self.prompt_encoder, self.mask_decoder = whole.sam_prompt_encoder, whole.sam_mask_decoder
        self.no_mem_embed = whole.no_mem_embed
        state = whole.state_dict()
        self.kept = PassthroughWeights(
            {name: tensor for name, tensor in state.items() if not name.startswith(RUN)}
        )
        # It says whether there is an object at all, in videos; every prompt here is for one that is there.
        self.mask_decoder.pred_obj_score_head.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Encode images (N, C, S, S) into features (N, Cᵢ, S / s, S / s) of strides s = 4, 8 and 16."""
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
        """MaskPrediction M prompts for one image.

        Args:
            features: of that image, (1, Cᵢ, S / s, S / s).
            points: (M, P, 2) float32, x and y in pixels of S × S; a box is its two corners.
            labels: (M, P), see `finetune.prompts.sampling`.
            prev_logits: (M, 1, S / 4, S / 4), logits of the mask that the last of the points corrects.
            multimask_output: whether to answer with 3 masks, for a prompt that may mean more than one thing.
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
