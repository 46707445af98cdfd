"""Random patches: a window, one of the 8 symmetries, scale, intensity and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cards.errors import DataError

if TYPE_CHECKING:
    from finetune.targets.base import LabelEncoding


@dataclass(frozen=True)
class Augmentation:
    """How a training patch is drawn. Maps follow every move of the image; they are never encoded again.

    Attributes:
        symmetries: draw one of the 4 rotations by 90°, mirrored or not.
        intensity: strength i of changes of intensity, per channel. With s the standard deviation of the
            patch: gain e^U(-i, i), offset U(-i, i) s, and gamma e^U(-i, i) between the least and greatest
                value.
        noise: Gaussian noise with a standard deviation of U(0, noise) s.
        scale: least and greatest magnification, drawn evenly on a logarithmic scale.
    """

    symmetries: bool = True
    intensity: float = 0.2
    noise: float = 0.1
    scale: tuple[float, float] = (0.8, 1.25)

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        low, high = self.scale
        if not 0 < low <= high:
            raise DataError(f"augmentation: scale is {low} to {high}; both must be over 0, the least first")
        if self.intensity < 0 or self.noise < 0:
            raise DataError("augmentation: intensity and noise must be at least 0")

    def __call__(
        self,
        image: np.ndarray,
        maps: np.ndarray,
        target: LabelEncoding,
        patch: int,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw one patch. The same state of `rng` gives the same patch.

        Args:
            image: (C, H, W) float32, normalized.
            maps: (K, H, W) float32, the target's maps of the whole image.
            target: turns and resizes the maps.
            patch: side of the patch in pixels.
            rng: the only source of chance.

        Returns:
            Image (C, patch, patch) and maps (K, patch, patch), float32. An image smaller than the window is
            continued by its mirror images.
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
        """In words, for the card."""
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
    height, width = image.shape[1:]
    if top >= 0 and left >= 0 and top + side <= height and left + side <= width:
        part = (slice(None), slice(top, top + side), slice(left, left + side))
        return image[part], maps[part]
    # The plane is tiled with the image and its mirror images, period 2H × 2W. Maps with a direction change
    # when mirrored, so their tile is made by the target, not by np.pad.
    rows = np.arange(top, top + side)[:, None] % (2 * height)
    columns = np.arange(left, left + side) % (2 * width)
    tile = np.block([[image, image[..., ::-1]], [image[:, ::-1], image[:, ::-1, ::-1]]])
    beside, below, across = (target.orient(maps, *move) for move in ((0, True), (2, True), (2, False)))
    tiled = np.block([[maps, beside], [below, across]])
    return tile[:, rows, columns], tiled[:, rows, columns]


def _orient(image: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
    """As `Target.orient`: turned by np.rot90, then mirrored left to right."""
    turned = np.rot90(image, rotations, axes=(-2, -1))
    return turned[..., ::-1] if flip else turned


def resize(image: np.ndarray, patch: int) -> np.ndarray:
    """Linear, pixel centers on pixel centers, with anti-aliasing when it shrinks."""
    import torch
    from torch.nn.functional import interpolate

    tensor = torch.from_numpy(np.ascontiguousarray(image))[None]
    resized = interpolate(tensor, (patch, patch), mode="bilinear", align_corners=False, antialias=True)
    return resized[0].numpy()
