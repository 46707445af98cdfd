"""Masks that do not lie on their images: shifted, rotated or mirrored, as correlation reveals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SIDE = 128  # pixels: images are compared at about this size
SMALLEST = 32  # pixels: in smaller images high correlations occur by chance
LEAST = 0.4  # correlation that the better placement must reach
MARGIN = 0.2  # by which it must exceed the correlation as the files are
FARTHEST = 0.25  # fraction of height or width: farther shifts occur by chance

SYMMETRIES = {
    "rotated by 90°": lambda mask: np.rot90(mask),
    "rotated by 180°": lambda mask: mask[::-1, ::-1],
    "rotated by 270°": lambda mask: np.rot90(mask, 3),
    "mirrored left to right": lambda mask: mask[:, ::-1],
    "mirrored top to bottom": lambda mask: mask[::-1],
    "transposed": lambda mask: mask.T,
    "transposed and rotated by 180°": lambda mask: mask[::-1, ::-1].T,
}


class Misalignment(NamedTuple):
    """A placement of a mask that fits its image better.

    Attributes:
        change: what to do with the mask, such as "rotated by 90°" or "shifted by (8, 0) px".
        before: absolute correlation of image and mask as they are.
        after: absolute correlation with the mask so changed.
    """

    change: str
    before: float
    after: float


def find_misalignment(image: np.ndarray, labels: np.ndarray) -> Misalignment | None:
    """Look for a shift or symmetry of a mask that fits its image clearly better.

    Placements are compared by the absolute Pearson correlation of gray values and foreground, at low
    resolution. It is high for bright objects on a dark ground and for the reverse; where it is low in every
    placement, nothing is reported.

    Args:
        image: (C, H, W).
        labels: (H, W), 0 is background.

    Returns:
        The better placement, or None.
    """
    if min(labels.shape) < SMALLEST:
        return None
    step = max(1, max(labels.shape) // SIDE)
    gray, mask = _standardized(image.mean(axis=0), step), _standardized(labels > 0, step)
    if gray is None or mask is None:
        return None
    before = abs(float(np.mean(gray * mask)))
    best = Misalignment("", before, 0.0)
    for change, move in SYMMETRIES.items():
        moved = move(mask)
        if moved.shape == mask.shape and (after := abs(float(np.mean(gray * moved)))) > best.after:
            best = Misalignment(change, before, after)
    spectrum = np.fft.rfft2(gray) * np.conj(np.fft.rfft2(mask))
    correlation = np.abs(np.fft.irfft2(spectrum, gray.shape)) / gray.size
    rows, columns = (np.abs(np.fft.fftfreq(n)) <= FARTHEST for n in gray.shape)
    correlation *= rows[:, None] & columns
    place = np.unravel_index(correlation.argmax(), correlation.shape)
    after = float(correlation[place])
    if after > best.after:
        shift = [int(round(np.fft.fftfreq(n)[i] * n)) * step for n, i in zip(gray.shape, place, strict=True)]
        if max(map(abs, shift)) > step:
            best = Misalignment(f"shifted by ({shift[0]}, {shift[1]}) px (down, right)", before, after)
    return best if best.after >= LEAST and best.after - before >= MARGIN else None


def _standardized(plane: np.ndarray, step: int) -> np.ndarray | None:
    """Mean of blocks of `step` × `step` pixels, with mean 0 and standard deviation 1; None if constant."""
    height, width = (n // step for n in plane.shape)
    if not height or not width:  # a strip that is narrower than a block
        return None
    blocks = plane[: height * step, : width * step].reshape(height, step, width, step)
    small = blocks.mean(axis=(1, 3), dtype=np.float32)
    spread = small.std()
    return (small - small.mean()) / spread if spread > 0 else None
