"""Flows: in every pixel of an instance the direction to its center, as defined by Cellpose."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, Field

from finetune.targets.pixels import orient_pixels, rescale_pixels
from finetune.utils.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

# Cellpose's network predicts flows of this length (cellpose/train.py, `_loss_fn_seg`).
LENGTH = 5.0


class FlowsOptions(Options):
    """How labels are decoded from flows; the defaults are Cellpose's."""

    cellprob_threshold: float = Field(0.0, description="pixels with a higher logit belong to an instance")
    flow_threshold: float = Field(
        0.4,
        ge=0,
        description="instances whose flows differ more from the predicted ones (mean squared error) are "
        "dropped; 0 keeps all",
    )
    min_size: int = Field(15, ge=0, description="size of the smallest instance in pixels")


class Flows:
    """Three maps: flow y and flow x, together a unit vector in an instance and 0 outside, and cell, 0 or 1.

    Stringer, Wang, Michaelos & Pachitariu 2021, Cellpose, https://doi.org/10.1038/s41592-020-01018-x.
    Labels are decoded by `cellpose.dynamics.compute_masks`: each pixel follows the flow, and pixels that
    end in the same place are an instance. The network's raw output is `LENGTH` × flows and the logit of cell.

    `encode` simulates the same diffusion as `cellpose.dynamics.masks_to_flows_gpu`, and agrees with it except
    for two changes that make the maps of a rotated image equal to the rotated maps. Cellpose rounds
    the center of an instance to a pixel, halves to the even one, which may be another pixel in the rotated
    image: here all pixels nearest to the center share the heat. Cellpose also sums neighbors in
    reading order, so that in the center, where the flow should be zero, a rounding error is scaled up to
    length 1: here neighbors are summed in an order that no symmetry changes.
    """

    Options: ClassVar[type[BaseModel]] = FlowsOptions

    name = "flows"
    channels = 3
    labels: Literal["instances", "boundary"] = "instances"
    loss_name = "half the mean squared error of 5 × flows + binary cross-entropy of cell, as Cellpose's"
    map_names: tuple[str, ...] = ("flow_y", "flow_x", "cell")
    keep_encoded = True
    whole = False
    exports_labels = True
    exported_axes: Literal["bcyx", "byxc"] = "bcyx"
    choices: dict[str, tuple[float, ...]] = {
        "cellprob_threshold": (-1.0, 0.0, 1.0),
        "flow_threshold": (0.0, 0.4),
    }
    tentative: ClassVar[dict[str, float]] = {"flow_threshold": 0.0}

    def __init__(self, options: FlowsOptions | None = None) -> None:
        """Set the options.

        Args:
            options: the defaults if None.
        """
        self.settings = options or FlowsOptions()

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Encode flows and cell mask.

        Args:
            labels: (H, W) integer, 0 is background.

        Returns:
            Maps (3, H, W) float32: flow y, flow x, cell.
        """
        maps = np.zeros((3, *labels.shape), np.float32)
        inside = labels > 0
        if inside.any():
            maps[:2, inside] = _flows(labels)
            maps[2] = inside
        return maps

    def loss(self, output: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """Cellpose's loss (cellpose/train.py, `_loss_fn_seg`), in float32 also under autocast.

        Half the mean squared error between output and `LENGTH` × flows, over pixels and both directions, plus
        the binary cross-entropy of cell, over pixels.

        Args:
            output: raw output (N, 3, H, W).
            maps: encoded labels (N, 3, H, W).

        Returns:
            A float32 scalar.
        """
        import torch
        import torch.nn.functional as F

        with torch.autocast(output.device.type, enabled=False):
            output, maps = output.float(), maps.float()
            error = (output[:, :2] - LENGTH * maps[:, :2]).square().mean(dim=(1, 2, 3))
            entropy = F.binary_cross_entropy_with_logits(output[:, 2], maps[:, 2], reduction="none")
            return (error / 2 + entropy.mean(dim=(1, 2))).mean()

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Scale flows to a length of about 1, and convert the logit of cell to a probability.

        Args:
            output: raw output (N, 3, H, W).

        Returns:
            Maps (N, 3, H, W) float32.
        """
        import torch

        output = output.float()
        return torch.cat([output[:, :2] / LENGTH, output[:, 2:].sigmoid()], dim=1)

    def decode(self, maps: np.ndarray) -> np.ndarray:
        """Follow the flows by Cellpose's dynamics, on the CPU, as BioImage.IO's cellpose_flow_dynamics does.

        `compute_masks` first divides flows by `LENGTH`; dividing and multiplying them once before does not
        change a bit of the result. Cellpose drops an instance that covers more than 0.4 of the image.

        Args:
            maps: (3, H, W) float32.

        Returns:
            Labels (H, W) int32, 0 is background.
        """
        import torch
        from cellpose.dynamics import compute_masks
        from cellpose.utils import fill_holes_and_remove_small_masks

        # That an image has no instances is a result, not a warning.
        logging.getLogger("cellpose.dynamics").setLevel(logging.ERROR)
        with torch.sparse.check_sparse_tensor_invariants(enable=False):  # torch warns where this is not said
            masks = compute_masks(
                np.float32(LENGTH) * maps[:2],
                maps[2],
                cellprob_threshold=1 / (1 + math.exp(-self.settings.cellprob_threshold)),
                flow_threshold=self.settings.flow_threshold,
                device=torch.device("cpu"),
            )
        return fill_holes_and_remove_small_masks(masks, min_size=self.settings.min_size).astype(np.int32)

    def decode_window(self, maps: np.ndarray, origin: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
        """Decode a part of an image as `decode` decodes the image; see `finetune.targets.flow_windows`.

        Args:
            maps: (3, h, w) float32, of the window.
            origin: row and column of the window in the image.
            shape: height and width of the image in pixels.

        Returns:
            Labels (h, w) int32, 0 is background.
        """
        import torch
        from cellpose.utils import fill_holes_and_remove_small_masks

        from finetune.targets.flow_windows import masks_in_window

        logging.getLogger("cellpose.dynamics").setLevel(logging.ERROR)
        inside = maps[2] > 1 / (1 + math.exp(-self.settings.cellprob_threshold))
        flows = np.float32(LENGTH) * maps[:2]
        with torch.sparse.check_sparse_tensor_invariants(enable=False):
            masks = masks_in_window(flows, inside, origin, shape, self.settings.flow_threshold)
        return fill_holes_and_remove_small_masks(masks, min_size=self.settings.min_size).astype(np.int32)

    def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
        """Rotate and mirror the pixels and their vectors.

        Args:
            maps: (K, H, W).
            rotations: quarter turns, 0 to 3.
            flip: whether to mirror left to right after the rotation.

        Returns:
            The oriented maps.
        """
        y, x, cell = orient_pixels(maps, rotations, flip)
        for _ in range(rotations):  # np.rot90 moves what lies at (y, x) to (-x, y)
            y, x = -x, y
        return np.stack([y, -x if flip else x, cell])

    def rescale(self, maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Resize by nearest neighbor; directions do not depend on the scale.

        Args:
            maps: (K, H, W).
            shape: new height and width in pixels.

        Returns:
            Maps (K, *shape).
        """
        return rescale_pixels(maps, shape)

    def options(self) -> dict[str, Any]:
        """Options that rebuild this target.

        Returns:
            Values by option name.
        """
        return self.settings.model_dump()

    def head(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """No head: the operation takes raw output.

        Returns:
            None.
        """
        return None

    def bioimageio_postprocessing(self) -> list[dict[str, Any]]:
        """Cellpose's dynamics, from raw output to labels.

        Returns:
            BioImage.IO operations.
        """
        kwargs = {**self.options(), "do_3D": False, "output_dtype": "uint32"}
        return [{"id": "cellpose_flow_dynamics", "kwargs": kwargs}]


def _flows(labels: np.ndarray) -> np.ndarray:
    """Unit vectors (2, pixels), y and x, of all labeled pixels in reading order; see `Flows`.

    Heat diffuses from the center of each instance within that instance: in each step a pixel takes
    the mean of itself and its 8 neighbors, those outside the instance counting 0. Flows are the gradient of
    the heat, scaled to length 1. Number of steps, gradient and scaling are Cellpose's (`masks_to_flows_gpu`).
    """
    padded = np.pad(labels, 1)
    flat, width = padded.ravel(), padded.shape[1]
    pixels = np.flatnonzero(flat)
    up, left = -width, -1
    # Opposite neighbors are adjacent: a rotation or reflection of the image then only swaps the two terms of
    # a sum below, which does not change its rounding.
    steps = np.array([up, -up, left, -left, up + left, -up - left, up - left, left - up])
    neighbors = pixels + steps[:, None]
    # A neighbor outside the instance is replaced by pixel 0, which lies in the padding and stays at 0.
    neighbors = np.where(flat[neighbors] == flat[pixels], neighbors, 0)
    sources, heating, count = _sources(flat[pixels], *np.divmod(pixels, width), pixels)
    heat = np.zeros(flat.size)
    for _ in range(count):
        heat[sources] += heating
        around = heat.take(neighbors)
        pairs = around[::2] + around[1::2]
        heat[pixels] = (heat.take(pixels) + (pairs[0] + pairs[1]) + (pairs[2] + pairs[3])) / 9
    gradient = np.stack([heat[pixels - step] - heat[pixels + step] for step in (up, left)])
    length = np.sqrt(gradient[0] ** 2 + gradient[1] ** 2)
    return gradient / (length + 1e-60)


def _sources(
    instance: np.ndarray, y: np.ndarray, x: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Heat sources, their strength, and the number of diffusion steps.

    Args:
        instance: (pixels,) the number of each pixel's instance.
        y: (pixels,) its row.
        x: (pixels,) its column.
        pixels: (pixels,) its place in the flat image.

    Returns:
        The pixels nearest to the center of each instance; 1 divided by their number in the instance; twice
        the height + width + 2 of the largest instance.
    """
    _, instance = np.unique(instance, return_inverse=True)
    number = np.bincount(instance)
    distance, extent = np.zeros(len(pixels)), np.full(len(number), 2)
    for place in (y, x):
        total = np.bincount(instance, place).astype(np.int64)
        # Exact integers: positions at equal distance must compare equal.
        distance += (number[instance] * place - total[instance]).astype(np.float64) ** 2
        highest = np.zeros(len(number), np.int64)
        lowest = np.full(len(number), place.max())
        np.maximum.at(highest, instance, place)
        np.minimum.at(lowest, instance, place)
        extent += highest - lowest + 1
    least = np.full(len(number), np.inf)
    np.minimum.at(least, instance, distance)
    nearest = distance == least[instance]
    sharing = np.bincount(instance[nearest])
    return pixels[nearest], 1 / sharing[instance[nearest]], 2 * int(extent.max())
