"""A small data set of discs and the recipe to learn them in seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
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
            centre = rng.integers(radius, size - radius, 2)
            labels[disk(centre, radius, shape=labels.shape)] = instance
        image = 20 + 150 * (labels > 0) + rng.normal(0, 10, labels.shape)
        tifffile.imwrite(folder / "images" / f"disc_{index:02}.tif", image.clip(0, 255).astype(np.uint8))
        tifffile.imwrite(folder / "masks" / f"disc_{index:02}.tif", labels)


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """A data set: ten images to train and validate on, three to test on."""
    root = tmp_path / "discs"
    write_discs(root / "train", 10)
    write_discs(root / "test", 3, seed=1)
    return root


@pytest.fixture
def recipe_file(tmp_path: Path, discs: Path) -> Path:
    """A recipe that learns the discs in a few seconds."""
    path = tmp_path / "discs.yaml"
    path.write_text(RECIPE.replace("ROOT", str(discs)))
    return path


@pytest.fixture
def command(tmp_path: Path):
    """Run the command line in tmp_path, as a user would: command("run", "discs.yaml")."""

    def run(*arguments: str, timeout: int = 300, **options) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "finetune.cli", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            **options,
        )

    return run
