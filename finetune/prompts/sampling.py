"""What a person would click: points and boxes that ask for one instance, and points that correct an answer.

As SAM (Kirillov et al. 2023, https://arxiv.org/abs/2304.02643, appendix A, "Training algorithm") and SAM2
(Ravi et al. 2024, https://arxiv.org/abs/2408.00714; training/model/sam2.py) are trained: a point lies
anywhere in the instance, a box is drawn inexactly, a correction lies anywhere in the error. And as both are
measured (`pt_sampling_for_eval="center"` there): without chance, in the middle of instance or error.

A point is x, y in pixels, whole at pixel centers. Labels are those of SAM2's prompt encoder.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from finetune.networks.prompt_labels import NEGATIVE, NONE, POSITIVE

JITTER, MOST = 0.1, 20.0  # of a box: share of its side, and pixels (`sample_box_points` in sam2_utils.py)


class Point(NamedTuple):
    """A click: where, in pixels, and what it says."""

    x: float
    y: float
    label: int


def point(mask: np.ndarray, rng: np.random.Generator | None = None) -> Point:
    """A point in an instance: any pixel of it, each as likely, or without chance the innermost.

    Args:
        mask: (H, W) bool, not empty.
        rng: the source of chance.
    """
    y, x = _pick(mask, rng)
    return Point(x, y, POSITIVE)


def box(mask: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """The box around an instance: (x, y) of its first and last pixels, (4,) float32.

    Args:
        mask: (H, W) bool, not empty.
        rng: moves each edge by up to 10 % of the side, at most 20 pixels, inside the image.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    exact = np.array([columns[0], rows[0], columns[-1], rows[-1]], np.float32)
    if rng is None:
        return exact
    reach = np.minimum(JITTER * (exact[2:] - exact[:2]), MOST)
    moved = exact + rng.uniform(-1, 1, 4) * np.tile(reach, 2)
    height, width = mask.shape
    return moved.clip(0, [width - 1, height - 1] * 2).astype(np.float32)


def correction(answer: np.ndarray, mask: np.ndarray, rng: np.random.Generator | None = None) -> Point:
    """A point where an answer is wrong: "this" where it missed the instance, "not this" where it went beyond.

    Args:
        answer: (H, W) bool.
        mask: the instance, (H, W) bool.
        rng: any wrong pixel, each as likely; without it the innermost of all.

    Returns:
        The point; one with the label `NONE` if nothing is wrong.
    """
    if not (wrong := answer ^ mask).any():
        return Point(0, 0, NONE)
    if rng is None:
        missed, beyond = mask & ~answer, answer & ~mask
        wrong = max(missed, beyond, key=lambda error: _depth(error)[0].max(initial=0))
    y, x = _pick(wrong, rng)
    return Point(x, y, POSITIVE if mask[y, x] else NEGATIVE)


def _pick(mask: np.ndarray, rng: np.random.Generator | None) -> tuple[int, int]:
    """Row and column of a pixel."""
    if rng is None:
        depth, (top, left) = _depth(mask)
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        return int(y) + top, int(x) + left
    pixels = np.flatnonzero(mask)
    y, x = divmod(int(pixels[rng.integers(len(pixels))]), mask.shape[1])
    return y, x


def _depth(mask: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Distance of each pixel from the edge, in the part of the image that the mask covers, and where that is.

    The image's own edge counts as one: a point should not lie on it.
    """
    from scipy import ndimage

    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros((0, 0)), (0, 0)
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return ndimage.distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1], (int(rows[0]), int(columns[0]))
