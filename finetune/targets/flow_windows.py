"""Cellpose's flow dynamics in a part of an image, with the result of the whole image.

`cellpose.dynamics.steps_interp` (cellpose 4.0) samples the flow at x · W / (W − 1) − 1/2 for a pixel at x in
an image of width W: half a pixel to the left at the left end of the image, half a pixel to the right at the
right end. In a crop, the same pixel would therefore follow another path. Here the flow of a window is sampled
where it is sampled in the image.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

STEPS = 200  # `niter` of `cellpose.dynamics.compute_masks`
LARGEST = 0.4  # part of the image that an instance may cover (`max_size_fraction`)


def masks_in_window(
    flows: np.ndarray,
    inside: np.ndarray,
    origin: tuple[int, int],
    image: tuple[int, int],
    flow_threshold: float,
) -> np.ndarray:
    """Label the instances of a window, as `cellpose.dynamics.compute_masks` does in the image.

    Args:
        flows: (2, h, w) float32, y and x, scaled as Cellpose's network predicts them.
        inside: (h, w) bool, pixels of instances.
        origin: row and column of the window in the image.
        image: height and width of the image in pixels.
        flow_threshold: instances with a larger flow error are dropped; 0 keeps all.

    Returns:
        (h, w) labels; holes are not filled, and small instances are kept.
    """
    from cellpose.dynamics import get_masks_torch, remove_bad_flow_masks

    pixels = np.nonzero(inside)
    if not len(pixels[0]):
        return np.zeros(inside.shape, np.uint16)
    ends = _follow(torch.from_numpy(flows * inside / np.float32(5)), pixels, origin, image)
    share = LARGEST * image[0] * image[1] / inside.size
    masks = get_masks_torch(ends.int(), pixels, inside.shape, max_size_fraction=share)
    if masks.max() > 0 and flow_threshold > 0:
        masks = remove_bad_flow_masks(masks, flows, threshold=flow_threshold, device=torch.device("cpu"))
    return np.asarray(masks)


def _follow(
    flows: torch.Tensor, pixels: tuple[np.ndarray, ...], origin: tuple[int, int], image: tuple[int, int]
) -> torch.Tensor:
    """Positions (2, n) in the window at which pixels end that follow the flows (2, h, w)."""
    position = torch.stack([torch.from_numpy(axis).float() for axis in pixels])
    size, start = torch.tensor(flows.shape[1:]).float()[:, None], torch.tensor(origin).float()[:, None]
    last = (torch.tensor(image).float() - 1).clamp(min=1)[:, None]
    scale, shift = (last + 1) / last, start / last
    for _ in range(STEPS):
        sampled = 2 * (position * scale + shift) / size - 1
        step = F.grid_sample(flows[None], sampled.flip(0).T[None, None], align_corners=False)[0, :, 0]
        position = torch.minimum(torch.maximum(position + step, -start), last - start)
    # What leaves the window belongs to an instance of another one.
    return torch.minimum(position.clamp(min=0), size - 1)
