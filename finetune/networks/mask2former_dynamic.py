"""Mask2Former for images of any size, also in a traced export.

Two parts of the transformers model write the image size into a trace. Each is replaced by a class with the
same weights that computes the same output for any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers.models.mask2former.modeling_mask2former import Mask2FormerPixelDecoderEncoderOnly
from transformers.models.swin.modeling_swin import SwinLayer


class AnySizeSwinLayer(SwinLayer):
    """Swin layer that always crops its padding, so that a trace includes the crop for every image size."""

    def maybe_pad(self, hidden_states: torch.Tensor, height: int, width: int) -> tuple[torch.Tensor, Any]:
        """Pad to complete windows and always report padding, so that the caller crops to height and width.

        Args:
            hidden_states: (N, H, W, C).
            height: H.
            width: W.

        Returns:
            Padded tokens, and padding values that make the caller crop.
        """
        return super().maybe_pad(hidden_states, height, width)[0], (0, 0, 0, 1, 0, 1)


class AnySizeEncoder(Mask2FormerPixelDecoderEncoderOnly):
    """Deformable attention whose pixel offsets are divided by the traced size.

    transformers divides by a constant of Python integers. Its attention accepts boxes as well as points as
    reference (Zhu et al. 2021, Deformable DETR, https://arxiv.org/abs/2010.04159) and divides by the box
    size: a point with a box of the matching size gives the same result.
    """

    def get_reference_points(  # type: ignore[override]
        self, spatial_shapes_list: Sequence[tuple[int, int]], valid_ratios: torch.Tensor, device: Any
    ) -> torch.Tensor:
        """Compute a reference box for each pixel of each level.

        Args:
            spatial_shapes_list: (H, W) of L levels.
            valid_ratios: (N, L, 2), all 1, because no image is padded.
            device: device of the result.

        Returns:
            (N, sum of H W, L, 4): center x and y of each pixel, and the size of its box, in 0..1.
        """
        kind: dict[str, Any] = {"dtype": valid_ratios.dtype, "device": device}
        one = torch.ones(1, **kind)
        points, boxes = [], []
        for height, width in spatial_shapes_list:
            y = (torch.arange(height, **kind) + 0.5) / height
            x = (torch.arange(width, **kind) + 0.5) / width
            rows, columns = torch.meshgrid(y, x, indexing="ij")
            points.append(torch.stack((columns.flatten(), rows.flatten()), dim=-1))
            boxes.append(torch.cat((one / width, one / height)))
        # Deformable attention divides an offset by the number of points and multiplies it by half the box.
        layer: Any = self.layers[0]
        size = 2 * layer.self_attn.n_points * torch.stack(boxes)
        centers = torch.cat(points)[None, :, None]
        batch, levels = valid_ratios.shape[:2]
        shape = (batch, centers.shape[1], levels, 2)
        return torch.cat((centers.expand(shape), size[None, None].expand(shape)), dim=-1)


def take_any_size(model: nn.Module) -> nn.Module:
    """Make a Mask2Former of transformers accept any image size when traced.

    Args:
        model: a Mask2Former of transformers; modified in place.

    Returns:
        The same model.
    """
    for module in model.modules():
        for kind in (AnySizeSwinLayer, AnySizeEncoder):
            if type(module) is kind.__base__:
                module.__class__ = kind
    return model
