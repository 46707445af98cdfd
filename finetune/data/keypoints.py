"""Keypoints: small, distinctive places of an image that are found again in a copy or a part of it.

A keypoint is a local extremum of a difference of Gaussians (Lowe, International Journal of Computer Vision
60, 91-110, 2004), described by the pixels around it. A descriptor does not depend on brightness and contrast,
nor on rotation by multiples of 90 degrees and mirroring: the patch is brought into a standard orientation.
Its low frequencies are kept, weighted by frequency, because all bright spots share the lowest. Scale and
other angles are not compensated, because tiles and copies within a data set keep both.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.fft import dctn

MOST = 192  # keypoints of an image, so that memory does not grow with its size
AREA = 680  # pixels for each keypoint that is kept
FEWEST = 64  # kept of an image, however small it is
CELLS, OF_CELL = 5, 2  # rows and columns of a grid, and the keypoints that are kept of each of its cells
SMOOTH, BACKGROUND = 1.5, 6.0  # standard deviations of both Gaussians in pixels
APART = 3  # pixels between two keypoints, along each axis
RADIUS, SPACING = 12, 3  # pixels from the center of a patch to its border, and between its samples

ORIENTATIONS = 8


class Keypoints(NamedTuple):
    """Keypoints of an image.

    Attributes:
        positions: (N, 2) int32, twice the distance of row and column from the center of the image, so that
            rotating and mirroring the image turn them by a matrix of integers.
        orientations: (N,) int8, which of `orient` brings the patch into standard orientation.
        descriptors: (N, 27) float16 with norm 1.
    """

    positions: np.ndarray
    orientations: np.ndarray
    descriptors: np.ndarray


def orient(image: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate an image by a multiple of 90 degrees and mirror it.

    Args:
        image: (..., H, W).
        orientation: 0 to 7; 0 to 3 are quarter turns counterclockwise, 4 to 7 are followed by a reflection.

    Returns:
        A view of the image.
    """
    turned = np.rot90(image, orientation % 4, axes=(-2, -1))
    return turned[..., ::-1] if orientation >= 4 else turned


def _matrices() -> np.ndarray:
    """Effect of each orientation on a position (row, column) relative to the center, (8, 2, 2)."""
    matrices = []
    for orientation in range(ORIENTATIONS):
        columns = []
        for row, column in ((1, 0), (0, 1)):
            mark = np.zeros((3, 3))
            mark[1 + row, 1 + column] = 1
            columns.append(np.argwhere(orient(mark, orientation))[0] - 1)
        matrices.append(np.stack(columns, axis=1))
    return np.stack(matrices)


MATRICES = _matrices()
COMPOSED = np.array(
    [
        [int(np.flatnonzero((one.T @ two == MATRICES).all(axis=(1, 2)))[0]) for two in MATRICES]
        for one in MATRICES
    ]
)
"""Orientation of the second image that matches the first, by the orientations of both patches."""

OFFSETS = np.arange(-RADIUS, RADIUS + 1, SPACING)
FREQUENCIES = np.add.outer(np.arange(len(OFFSETS)), np.arange(len(OFFSETS)))
KEPT = (FREQUENCIES > 0) & (FREQUENCIES <= 6)
COUNT = int(KEPT.sum())


def find_keypoints(image: np.ndarray) -> Keypoints:
    """Find and describe the keypoints of an image.

    Args:
        image: (C, H, W); channels are averaged.

    Returns:
        At most `MOST` keypoints: the strongest of each part of the image, then the strongest of all; none if
        the image is smaller than a patch.
    """
    gray = image[0].astype(np.float32) if len(image) == 1 else image.mean(axis=0, dtype=np.float32)
    height, width = gray.shape
    smooth = ndimage.gaussian_filter(gray, SMOOTH, mode="nearest", truncate=3)
    rows, columns = _extrema(smooth)
    if not len(rows):
        empty = np.zeros((0, COUNT), np.float16)
        return Keypoints(np.zeros((0, 2), np.int32), np.zeros(0, np.int8), empty)
    patches = smooth[rows[:, None, None] + OFFSETS[:, None], columns[:, None, None] + OFFSETS]  # (N, 9, 9)
    patches = patches - patches.mean(axis=(1, 2), keepdims=True)
    orientations = _orientations(patches)
    for orientation in range(1, ORIENTATIONS):
        chosen = orientations == orientation
        patches[chosen] = orient(patches[chosen], orientation)
    descriptors = dctn(patches, axes=(1, 2), norm="ortho")[:, KEPT] * FREQUENCIES[KEPT]
    descriptors /= np.maximum(np.linalg.norm(descriptors, axis=1, keepdims=True), 1e-12)
    positions = np.stack([2 * rows - (height - 1), 2 * columns - (width - 1)], axis=1)
    return Keypoints(positions.astype(np.int32), orientations, descriptors.astype(np.float16))


def _extrema(smooth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the strongest extrema whose patch lies within the image."""
    height, width = smooth.shape
    if min(height, width) <= 2 * RADIUS:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    # The second Gaussian is so wide that a uniform filter, applied twice, is as good and much faster.
    side = 2 * round(BACKGROUND * np.sqrt(1.5)) + 1
    background = ndimage.uniform_filter(
        ndimage.uniform_filter(smooth, side, mode="nearest"), side, mode="nearest"
    )
    strength = np.abs(smooth - background)
    peaks = strength == ndimage.maximum_filter(strength, size=2 * APART + 1, mode="nearest")
    peaks &= strength > 0
    inside = np.zeros_like(peaks)
    inside[RADIUS:-RADIUS, RADIUS:-RADIUS] = True
    rows, columns = np.nonzero(peaks & inside)
    order = np.argsort(-strength[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    # Every part of the image keeps some, so that also a part without bright objects is found again.
    cells = rows * CELLS // height * CELLS + columns * CELLS // width
    by_cell = np.argsort(cells, kind="stable")
    starts = np.searchsorted(cells[by_cell], cells[by_cell])
    rank = np.empty(len(cells), np.intp)
    rank[by_cell] = np.arange(len(cells)) - starts
    limit = int(np.clip(height * width / AREA, FEWEST, MOST))
    chosen = np.argsort(rank >= OF_CELL, kind="stable")[:limit]
    return rows[chosen], columns[chosen]


def _orientations(patches: np.ndarray) -> np.ndarray:
    """Orientation that turns the brighter side of each patch to the right and then downwards."""
    moments = np.stack([patches.sum(axis=2) @ OFFSETS, patches.sum(axis=1) @ OFFSETS], axis=1)
    turned = np.einsum("kij,nj->nki", MATRICES, moments)
    return (turned[..., 1] * 2 + turned[..., 0]).argmax(axis=1).astype(np.int8)
