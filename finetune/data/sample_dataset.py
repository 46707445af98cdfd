"""The data set `sample`: one real image that comes with the package stardist, cut into regions."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from cards.base import Split
from cards.errors import DataError
from finetune.downloads.archive import CACHE_HINT
from finetune.utils.atomic import atomic_folder

REGIONS: dict[Split, dict[str, tuple[slice, slice]]] = {
    "train": {
        "upper_left": (slice(0, 256), slice(0, 256)),
        "upper_right": (slice(0, 256), slice(256, 512)),
    },
    "validation": {"lower_left": (slice(256, 512), slice(0, 256))},
    "test": {
        "lower_right_1": (slice(256, 384), slice(256, 384)),
        "lower_right_2": (slice(256, 384), slice(384, 512)),
        "lower_right_3": (slice(384, 512), slice(256, 384)),
        "lower_right_4": (slice(384, 512), slice(384, 512)),
    },
}
"""Rows and columns, in pixels of an image of 512 × 512. Four test images, so that there is a spread."""


def make_sample(folder: Path) -> Path:
    """Write the regions as TIFF in `folder`/{train,validation,test}/{images,masks}, whole or not at all."""
    import tifffile

    with atomic_folder(folder, CACHE_HINT) as new:
        for kind, file in (("images", "img2d.tif"), ("masks", "mask2d.tif")):
            pixels = tifffile.imread(_shipped(file))
            for split, regions in REGIONS.items():
                (new / split / kind).mkdir(parents=True)
                for name, region in regions.items():
                    tifffile.imwrite(new / split / kind / f"{name}.tif", pixels[region], compression="zlib")
    return folder


def _shipped(file: str) -> Path:
    """A file of stardist.data, found without importing stardist, which may load TensorFlow."""
    spec = find_spec("stardist")
    path = Path(spec.origin).parent / "data" / "images" / file if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DataError("sample: needs the package stardist, which ships the image: pip install stardist")
    return path
