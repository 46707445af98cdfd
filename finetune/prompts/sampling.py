"""Prompt sampling: initial points and boxes for an instance, and correction points for a predicted mask.

Training follows SAM (Kirillov et al. 2023, https://arxiv.org/abs/2304.02643, appendix A, "Training
algorithm") and SAM 2 (Ravi et al. 2024, https://arxiv.org/abs/2408.00714; training/model/sam2.py): a point is
any pixel of the instance, a box is jittered, a correction is any pixel of the error. Evaluation is
deterministic, as theirs (`pt_sampling_for_eval="center"`): the innermost pixel of instance or error.

A point is x, y in pixels, integers at pixel centers. Labels are those of SAM 2's prompt encoder.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from finetune.networks.prompt_labels import NEGATIVE, NONE, POSITIVE

# Jitter of a box edge: fraction of the side, at most so many pixels (`sample_box_points` in sam2_utils.py).
JITTER, MAX_JITTER = 0.1, 20.0


class Point(NamedTuple):
    """A point prompt: position in pixels, and label."""

    x: float
    y: float
    label: int


def point(mask: np.ndarray, rng: np.random.Generator | None = None) -> Point:
    """Sample a point in an instance, uniformly over its pixels.

    Args:
        mask: (H, W) bool, not empty.
        rng: random generator; deterministic (innermost pixel) if None.

    Returns:
        The point, with the label `POSITIVE`.
    """
    y, x = _pick(mask, rng)
    return Point(x, y, POSITIVE)


def box(mask: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Sample the bounding box of an instance.

    Args:
        mask: (H, W) bool, not empty.
        rng: random generator; moves each edge by up to 10 % of the side, at most 20 pixels, inside the image.
            The exact box if None.

    Returns:
        x and y of the first and the last pixel, (4,) float32.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    exact = np.array([columns[0], rows[0], columns[-1], rows[-1]], np.float32)
    if rng is None:
        return exact
    reach = np.minimum(JITTER * (exact[2:] - exact[:2]), MAX_JITTER)
    moved = exact + rng.uniform(-1, 1, 4) * np.tile(reach, 2)
    height, width = mask.shape
    return moved.clip(0, [width - 1, height - 1] * 2).astype(np.float32)


def correction(prediction: np.ndarray, mask: np.ndarray, rng: np.random.Generator | None = None) -> Point:
    """Sample a point where a predicted mask is wrong: positive in missed pixels, negative in false ones.

    Args:
        prediction: predicted mask, (H, W) bool.
        mask: reference mask of the instance, (H, W) bool.
        rng: random generator, uniform over wrong pixels; deterministic (innermost wrong pixel) if None.

    Returns:
        The point; its label is `NONE` if the masks are equal.
    """
    if not (wrong := prediction ^ mask).any():
        return Point(0, 0, NONE)
    if rng is None:
        false_negative, false_positive = mask & ~prediction, prediction & ~mask
        wrong = max(false_negative, false_positive, key=lambda error: _depth(error)[0].max(initial=0))
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
    """Distance from the edge within the bounding box of a mask, and the box's first row and column.

    The border of the image counts as an edge: a point should not lie on it.
    """
    from scipy import ndimage

    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros((0, 0)), (0, 0)
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return ndimage.distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1], (int(rows[0]), int(columns[0]))
