"""Mask2Former for images of any size, also where a network is traced for export.

Two parts of transformers' model write an image's size into a trace. Each is replaced by a class of the same
weights whose numbers, for any size, are those of the original.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers.models.mask2former.modeling_mask2former import Mask2FormerPixelDecoderEncoderOnly
from transformers.models.swin.modeling_swin import SwinLayer


class AnySizeSwinLayer(SwinLayer):
    """Cuts off, in a trace, what padding to whole windows adds, also where the traced image needed none."""

    def maybe_pad(self, hidden_states: torch.Tensor, height: int, width: int) -> tuple[torch.Tensor, Any]:
        """Pad, and say that it was: what follows then cuts back to height and width, whatever they were."""
        return super().maybe_pad(hidden_states, height, width)[0], (0, 0, 0, 1, 0, 1)


class AnySizeEncoder(Mask2FormerPixelDecoderEncoderOnly):
    """Deformable attention whose offsets, learned in pixels, are divided by the size that is traced.

    transformers divides by a constant made of Python's whole numbers. Its attention takes boxes as well as
    points for reference (Zhu et al. 2021, Deformable DETR, https://arxiv.org/abs/2010.04159), and divides by
    a box's size then: a point with a box of the right size gives the same.
    """

    def get_reference_points(  # type: ignore[override]
        self, spatial_shapes_list: Sequence[tuple[int, int]], valid_ratios: torch.Tensor, device: Any
    ) -> torch.Tensor:
        """Sizes (H, W) of L levels -> (N, sum of H W, L, 4): center x, y of each pixel, and a box's size.

        `valid_ratios` (N, L, 2) are all 1: no image is padded.
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
        # An offset is divided by the number of points, and multiplied by half of the box.
        layer: Any = self.layers[0]
        size = 2 * layer.self_attn.n_points * torch.stack(boxes)
        centers = torch.cat(points)[None, :, None]
        batch, levels = valid_ratios.shape[:2]
        shape = (batch, centers.shape[1], levels, 2)
        return torch.cat((centers.expand(shape), size[None, None].expand(shape)), dim=-1)


def take_any_size(model: nn.Module) -> nn.Module:
    """A Mask2Former of transformers, changed in place: parts as they are, but of the classes above."""
    for module in model.modules():
        for kind in (AnySizeSwinLayer, AnySizeEncoder):
            if type(module) is kind.__base__:
                module.__class__ = kind
    return model
