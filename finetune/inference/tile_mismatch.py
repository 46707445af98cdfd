"""Tile mismatch: how many labels change when an image is predicted in tiles instead of in one piece.

No pixel changes for a network whose receptive field is covered by the halo of the tiles. Layers that use
statistics of the whole image (group and instance normalization, style vectors) use the same in all tiles, up
to rounding. Global attention differs from tile to tile: its mismatch is measured on images of the data set.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest

import numpy as np

from cards.evidence import Tiling
from finetune.data.reader import Sample
from finetune.inference.model import Model
from finetune.inference.tiling import TILE, WHOLE

IMAGES = 4  # images that are compared, the largest ones
LARGEST = WHOLE**2  # pixels of an image that is predicted in one piece


def measure_tiling(model: Model, samples: Iterable[Sample]) -> Tiling | None:
    """Measure the receptive field, and compare labels predicted in tiles with labels predicted in one piece.

    The tiles have 1024 px, or fewer if the images are smaller: then half of the height or width of the
    largest image, as a multiple of the divisor.

    Args:
        model: the trained model; its receptive field and halo are set.
        samples: images of the data set.

    Returns:
        Receptive field and tile mismatch; None if the target's maps cannot be tiled.
    """
    if model.target.whole:
        return None
    model.measure_receptive_field()
    tiling = Tiling(
        receptive_field=model.receptive_field,
        halo=model.tile_halo(),
        image_statistics=model.shares_statistics,
    )
    small = (sample for sample in samples if sample.pixels[0].size <= LARGEST)
    largest = nlargest(IMAGES, small, key=lambda sample: sample.pixels[0].size)
    side = max((max(sample.pixels.shape[1:]) for sample in largest), default=0)
    tile = min(TILE, side // 2 // model.divisor * model.divisor)
    if isinstance(model.receptive_field, int) or tiling.image_statistics:  # a smaller tile would be enlarged
        tile = max(tile, 4 * (-(-model.halo // model.divisor) * model.divisor))
    larger = [sample for sample in largest if max(sample.pixels.shape[1:]) > tile]
    if not larger or tile < 2 * model.divisor:
        return tiling
    different, pixels = [], []
    for sample in larger:
        image = model.prepare(sample.pixels)
        tiled = model.predict_maps(image, tile=tile)
        whole = model.predict_maps(image, tile=max(image.shape[-2:]))
        different.append(count_mismatches(model.target.decode(tiled), model.target.decode(whole)))
        pixels.append(image[0].numel())
    parts = [count / all_of_it for count, all_of_it in zip(different, pixels, strict=True)]
    compared = {
        "halo": model.tile_halo(tile),
        "tile": tile,
        "images": len(larger),
        "pixels": sum(pixels),
        "mismatch": sum(different) / sum(pixels),
        "mismatch_range": (min(parts), max(parts)),
        "side": side,
    }
    return tiling.model_copy(update=compared)


def count_mismatches(labels: np.ndarray, expected: np.ndarray) -> int:
    """Count the pixels whose label differs between two label images, however instances are numbered.

    Args:
        labels: (H, W) integer, 0 is background.
        expected: (H, W) integer.

    Returns:
        Pixels that are foreground in one image only, or belong to instances that do not match at an
        intersection over union above 0.5, which at most one instance can reach.
    """
    labels, expected = (
        np.unique(image, return_inverse=True)[1].ravel() for image in _with_zero(labels, expected)
    )
    sizes, expected_sizes = np.bincount(labels), np.bincount(expected)
    pairs, together = np.unique(labels * len(expected_sizes) + expected, return_counts=True)
    first, second = np.divmod(pairs, len(expected_sizes))
    union = sizes[first] + expected_sizes[second] - together
    same = np.where((first == 0) | (second == 0), first == second, 2 * together > union)
    return int(together[~same].sum())


def _with_zero(*images: np.ndarray) -> list[np.ndarray]:
    """Label images with a background pixel more, so that 0 is the first of the unique labels in both."""
    return [np.append(image.ravel(), 0) for image in images]
