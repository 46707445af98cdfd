"""Augmentation of training patches: random window, symmetry of the square, scale, intensity and noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from finetune.data.augmentation_options import AugmentationSection

if TYPE_CHECKING:
    from finetune.targets.base import LabelEncoding


# Rotations and reflection of `Target.orient` that mirror the rows, the columns, or both.
MIRROR = {
    (False, False): (0, False),
    (True, False): (2, True),
    (False, True): (0, True),
    (True, True): (2, False),
}


class Augmentation(AugmentationSection):
    """Random training patches. Maps are transformed together with the image; labels are not encoded again.

    The options, with their defaults and limits, are those of the recipe (`training.augmentation`):

    Attributes:
        symmetries: apply one of the 4 rotations by 90°, mirrored or not.
        intensity: strength i of changes of intensity, per channel. With s the standard deviation of the
            patch: gain e^U(-i, i), offset U(-i, i) s, and gamma e^U(-i, i) between the smallest and largest
            value.
        noise: Gaussian noise with a standard deviation of U(0, noise) s.
        scale: smallest and largest scale factor, drawn uniformly on a logarithmic scale.
    """

    def __call__(
        self,
        image: np.ndarray,
        maps: np.ndarray,
        target: LabelEncoding,
        patch: int,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw one random patch. The same state of `rng` gives the same patch.

        Args:
            image: (C, H, W) float32, normalized.
            maps: (K, H, W) float32, the target's maps of the whole image.
            target: rotates, mirrors and resizes the maps.
            patch: side length of the patch in pixels.
            rng: the only source of randomness.

        Returns:
            Image (C, patch, patch) and maps (K, patch, patch), float32. An image smaller than the window is
            extended by reflection.
        """
        magnification = np.exp(rng.uniform(*np.log(self.scale)))
        side = max(1, round(patch / magnification))
        top, left = (_start(length, side, rng) for length in image.shape[1:])
        image, maps = _window(image, maps, target, top, left, side)
        if side != patch:
            image, maps = resize(image, patch), target.rescale(maps, (patch, patch))
        if self.symmetries:
            rotations, flip = int(rng.integers(4)), bool(rng.integers(2))
            image, maps = _orient(image, rotations, flip), target.orient(maps, rotations, flip)
        image = self._intensity(image, rng)
        return np.ascontiguousarray(image, np.float32), np.ascontiguousarray(maps, np.float32)

    def _intensity(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        shape = (len(image), 1, 1)
        spread = image.std(axis=(1, 2), keepdims=True)
        if self.intensity:
            gain, offset, gamma = (rng.uniform(-self.intensity, self.intensity, shape) for _ in range(3))
            low, high = image.min(axis=(1, 2), keepdims=True), image.max(axis=(1, 2), keepdims=True)
            width = np.maximum(high - low, np.finfo(np.float32).tiny)
            image = ((image - low) / width) ** np.exp(gamma).astype(np.float32) * width + low
            image = image * np.exp(gain).astype(np.float32) + (offset * spread).astype(np.float32)
        if self.noise:
            sigma = (rng.uniform(0, self.noise, shape) * spread).astype(np.float32)
            image = image + sigma * rng.standard_normal(image.shape, dtype=np.float32)
        return image

    def describe(self) -> str:
        """Summarize the augmentation for the model card.

        Returns:
            A comma-separated list of the random changes.
        """
        words = ["random window"]
        if self.symmetries:
            words.append("the 8 symmetries of the square")
        if self.scale != (1, 1):
            words.append(f"scale {self.scale[0]:g} to {self.scale[1]:g}")
        if self.intensity:
            words.append(f"gain, offset and gamma per channel (strength {self.intensity:g})")
        if self.noise:
            words.append(f"Gaussian noise up to {self.noise:g} standard deviations of the patch")
        return ", ".join(words)


def _start(length: int, side: int, rng: np.random.Generator) -> int:
    """Where the window starts: it lies inside the image, or, if that is smaller, all around it."""
    return int(rng.integers(min(0, length - side), max(0, length - side) + 1))


def _window(
    image: np.ndarray, maps: np.ndarray, target: LabelEncoding, top: int, left: int, side: int
) -> tuple[np.ndarray, np.ndarray]:
    # Beyond the image, the plane continues with mirror images. Maps with a direction change when mirrored, so
    # their parts are mirrored by the target, not by np.pad.
    rows = list(_runs(top, side, image.shape[1]))
    columns = list(_runs(left, side, image.shape[2]))
    window = [[_orient(image[:, r, c], *MIRROR[up, over]) for c, over in columns] for r, up in rows]
    around = [[target.orient(maps[:, r, c], *MIRROR[up, over]) for c, over in columns] for r, up in rows]
    return np.block(window), np.block(around)


def _runs(start: int, side: int, length: int) -> Iterator[tuple[slice, bool]]:
    """Parts of an axis that a window covers: each in the image, and whether it is mirrored."""
    end = start + side
    while start < end:
        turn, first = divmod(start, length)
        last = min(first + end - start, length)
        start += last - first
        mirrored = turn % 2 == 1
        yield slice(length - last, length - first) if mirrored else slice(first, last), mirrored


def _orient(image: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
    """As `Target.orient`: turned by np.rot90, then mirrored left to right."""
    turned = np.rot90(image, rotations, axes=(-2, -1))
    return turned[..., ::-1] if flip else turned


def resize(image: np.ndarray, patch: int) -> np.ndarray:
    """Resize an image to a square by bilinear interpolation, with anti-aliasing when it shrinks.

    Args:
        image: (C, H, W) float32.
        patch: new height and width in pixels.

    Returns:
        (C, patch, patch) float32.
    """
    import torch
    from torch.nn.functional import interpolate

    tensor = torch.from_numpy(np.ascontiguousarray(image))[None]
    resized = interpolate(tensor, (patch, patch), mode="bilinear", align_corners=False, antialias=True)
    return resized[0].numpy()
