"""A small data set of discs, and the recipe to learn them in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from skimage.draw import disk

RECIPE = """\
model:
  repository: wipp
  name: unet
  options: {width: 8, depth: 2}
  target: foreground_boundary
data:
  root: ROOT
training:
  epochs: 3
  images_per_epoch: 16
  batch_size: 4
  patch: 32
  learning_rate: 5.0e-3
  workers: 0
compute: {precision: 32-true, inference: float32}  # the same on every processor
card:
  title: Discs
  description: Finds discs.
"""


def write_discs(folder: Path, count: int, size: int = 64, seed: int = 0) -> None:
    """Write `count` images of bright discs with their labels to folder/images and folder/masks."""
    rng = np.random.default_rng(seed)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        labels = np.zeros((size, size), np.uint16)
        for instance in range(1, 6):
            radius = rng.integers(5, 9)
            center = rng.integers(radius, size - radius, 2)
            labels[disk(center, radius, shape=labels.shape)] = instance
        image = 20 + 150 * (labels > 0) + rng.normal(0, 10, labels.shape)
        tifffile.imwrite(folder / "images" / f"disc_{index:02}.tif", image.clip(0, 255).astype(np.uint8))
        tifffile.imwrite(folder / "masks" / f"disc_{index:02}.tif", labels)


def write_data(root: Path) -> Path:
    """Write a data set: ten images to train and validate on, three to test on."""
    write_discs(root / "train", 10)
    write_discs(root / "test", 3, seed=1)
    return root


def write_recipe(path: Path, data: Path) -> Path:
    """Write a recipe that learns the discs in a few seconds."""
    path.write_text(RECIPE.replace("ROOT", str(data)))
    return path
