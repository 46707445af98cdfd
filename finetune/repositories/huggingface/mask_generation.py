"""Mask generation with the processors and pipelines of transformers for SAM and SAM 2."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cards.base import NetworkSpec
from finetune.repositories.point_batches import decode_in_batches

if TYPE_CHECKING:
    import torch


def build_processor(architecture: NetworkSpec) -> Any:
    """Build a Sam2Processor that resizes each image to the network's square.

    It is used for SAM, too: SAM's own processor keeps the aspect ratio and pads, unlike in training here.

    Args:
        architecture: specification of the network, from `promptable.load`.

    Returns:
        The processor.
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
    """Write the processor files that `AutoProcessor` and `AutoImageProcessor` read.

    Args:
        architecture: specification of the network.
        folder: folder of the model.
    """
    processor = build_processor(architecture)
    processor.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)


class Predictor:
    """Predict masks for boxes with the model's `forward`; same interface as `SAM2ImagePredictor` of sam2."""

    def __init__(self, model: Any, processor: Any) -> None:
        """Wrap a model and its processor.

        Args:
            model: a SamModel or Sam2Model in evaluation mode.
            processor: a Sam2Processor.
        """
        self.model, self.processor = model, processor

    def set_image(self, image: np.ndarray) -> None:
        """Encode an image.

        Args:
            image: (H, W, 3) float32 of about 0..1.
        """
        self.shape = image.shape[:2]
        inputs = self.processor(images=image, do_rescale=False, return_tensors="pt").to(self.model.device)
        self.features = self.model.get_image_embeddings(inputs["pixel_values"])

    def predict(self, box: np.ndarray, multimask_output: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Predict masks for M boxes in the encoded image.

        Args:
            box: (M, 4), x, y, x, y in pixels.
            multimask_output: whether to predict three masks per box.

        Returns:
            Masks (M, K, H, W) bool, and predicted IoU (M, K).
        """
        import torch

        inputs = self.processor(
            input_boxes=[np.asarray(box, float).reshape(-1, 4).tolist()],
            original_sizes=[list(self.shape)],
            return_tensors="pt",
        )
        boxes = inputs["input_boxes"].to(self.model.device)
        with torch.inference_mode():
            output = self.model(
                image_embeddings=self.features, input_boxes=boxes, multimask_output=multimask_output
            )
        (masks,) = self.processor.post_process_masks(output.pred_masks, [list(self.shape)])
        return masks.cpu().numpy(), output.iou_scores[0].cpu().numpy()


class Generator:
    """Segment a whole image with transformers' `MaskGenerationPipeline`, which prompts a grid of points.

    The pipeline takes 8-bit images. For an image that is not square its grid covers only a part (transformers
    5.23: `_normalize_coordinates` in image_processing_sam2.py keeps an aspect ratio that `resize` does not),
    so such an image is resized to a square first.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        """Wrap a model and its processor.

        Args:
            model: a SamModel or Sam2Model in evaluation mode.
            processor: a Sam2Processor.
        """
        from transformers import MaskGenerationPipeline

        self.predictor = Predictor(model, processor)
        if model.device.type == "cpu":
            _divide_points(model, processor.image_processor.size["height"])
        self.pipeline = MaskGenerationPipeline(
            model=model, image_processor=processor.image_processor, device=model.device
        )

    def generate(self, image: np.ndarray) -> list[dict[str, Any]]:
        """Predict the masks of an image.

        Args:
            image: (H, W, 3) float32 of about 0..1.

        Returns:
            One dictionary per mask: `segmentation`, (H, W) bool, and `area` in pixels.
        """
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


def _divide_points(model: Any, image_size: int) -> None:
    """Let a SamModel or Sam2Model decode points of an encoded image in small batches."""
    import torch

    forward = model.forward

    def divided(*arguments: Any, input_points: Any = None, input_labels: Any = None, **options: Any) -> Any:
        if arguments or input_points is None or input_labels is None:
            return forward(*arguments, input_points=input_points, input_labels=input_labels, **options)
        parts = decode_in_batches(
            lambda part: forward(
                input_points=input_points[:, part], input_labels=input_labels[:, part], **options
            ),
            input_points.shape[1],
            image_size,
        )
        joined = {
            key: torch.cat([part[key] for part in parts], dim=1) for key in ("iou_scores", "pred_masks")
        }
        return type(parts[0])(**joined)

    model.forward = divided


def _of_shape(mask: torch.Tensor, height: int, width: int) -> np.ndarray:
    """Resize a mask (S, S) bool to (H, W) bool by nearest neighbor."""
    import torch.nn.functional as F

    if mask.shape == (height, width):
        return mask.cpu().numpy()
    near = F.interpolate(mask[None, None].float(), (height, width), mode="nearest-exact")
    return near[0, 0].bool().cpu().numpy()
