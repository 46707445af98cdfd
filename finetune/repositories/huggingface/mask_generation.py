"""transformers' own ways to ask a SAM or SAM 2 for masks, with prompts and without any."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cards.base import NetworkSpec

if TYPE_CHECKING:
    import torch


def build_processor(architecture: NetworkSpec) -> Any:
    """A Sam2Processor, which resizes each image to the network's square, whatever its proportions.

    For a SAM, too: its own keeps the proportions and fills up, which the network has not been trained with.

    Args:
        architecture: as `finetune.repositories.huggingface.promptable.load` gives it.
    """
    from transformers import Sam2ImageProcessor, Sam2Processor

    options = architecture.options
    image_size = options["image_size"]
    return Sam2Processor(
        Sam2ImageProcessor(
            size={"height": image_size, "width": image_size},
            mask_size={"height": image_size // 4, "width": image_size // 4},
            image_mean=options["mean"],
            image_std=options["std"],
        )
    )


def save_processor(architecture: NetworkSpec, folder: Path) -> None:
    """Write what `AutoProcessor` and `AutoImageProcessor` read, beside the model."""
    processor = build_processor(architecture)
    processor.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)


class Predictor:
    """Answers boxes by the model's own `forward`, as `SAM2ImagePredictor` of the package sam2 is asked."""

    def __init__(self, model: Any, processor: Any) -> None:
        """Take a SamModel or Sam2Model in evaluation mode, and a Sam2Processor."""
        self.model, self.processor = model, processor

    def set_image(self, image: np.ndarray) -> None:
        """Encode an image (H, W, 3) float32 of about 0..1."""
        self.shape = image.shape[:2]
        inputs = self.processor(images=image, do_rescale=False, return_tensors="pt").to(self.model.device)
        self.features = self.model.get_image_embeddings(inputs["pixel_values"])

    def predict(self, box: np.ndarray, multimask_output: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (M, 4), x, y, x, y in pixels -> masks (M, K, H, W) bool, and expected IoU (M, K)."""
        import torch

        inputs = self.processor(
            input_boxes=[np.asarray(box, float).reshape(-1, 4).tolist()],
            original_sizes=[list(self.shape)],
            return_tensors="pt",
        )
        boxes = inputs["input_boxes"].to(self.model.device)
        with torch.inference_mode():
            given = self.model(
                image_embeddings=self.features, input_boxes=boxes, multimask_output=multimask_output
            )
        (masks,) = self.processor.post_process_masks(given.pred_masks, [list(self.shape)])
        return masks.cpu().numpy(), given.iou_scores[0].cpu().numpy()


class Generator:
    """Labels a whole image by transformers' `MaskGenerationPipeline`, which asks at a grid of points.

    It takes pictures of 8 bit. Its grid covers a part only of an image that is not square (transformers 5.23:
    `_normalize_coordinates` of image_processing_sam2.py keeps proportions that its `resize` does not), so
    that such an image becomes one before.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        """Take a SamModel or Sam2Model in evaluation mode, and a Sam2Processor."""
        from transformers import MaskGenerationPipeline

        self.predictor = Predictor(model, processor)
        self.pipeline = MaskGenerationPipeline(
            model=model, image_processor=processor.image_processor, device=model.device
        )

    def generate(self, image: np.ndarray) -> list[dict[str, Any]]:
        """Masks of an image (H, W, 3) float32 of about 0..1: `segmentation`, (H, W) bool, and its `area`."""
        import torch
        from PIL import Image

        height, width = image.shape[:2]
        picture = Image.fromarray(np.round(image.clip(0, 1) * 255).astype(np.uint8))
        if height != width:
            picture = picture.resize((max(height, width),) * 2, Image.Resampling.BILINEAR)
        with torch.inference_mode():
            found = self.pipeline(picture)["masks"]
        masks = [_of_shape(mask, height, width) for mask in found]
        return [{"segmentation": mask, "area": int(mask.sum())} for mask in masks]


def _of_shape(mask: torch.Tensor, height: int, width: int) -> np.ndarray:
    """A mask (S, S) bool -> (H, W) bool, by the nearest pixel."""
    import torch.nn.functional as F

    if mask.shape == (height, width):
        return mask.cpu().numpy()
    near = F.interpolate(mask[None, None].float(), (height, width), mode="nearest-exact")
    return near[0, 0].bool().cpu().numpy()
