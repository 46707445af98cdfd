"""The data set `sample`: one real image, shipped with finetune and cut into regions.

The image comes from StarDist 0.9.2; `sample_image/` holds its license.
"""

from __future__ import annotations

from pathlib import Path

from cards.base import Split
from finetune.downloads.archive import CACHE_HINT
from finetune.utils.atomic import atomic_folder

SAMPLE_IMAGE = Path(__file__).with_name("sample_image")

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
    """Write the regions as TIFF in `folder`/{train,validation,test}/{images,masks}, all of them or none.

    Args:
        folder: the folder to create.

    Returns:
        `folder`.
    """
    import tifffile

    with atomic_folder(folder, CACHE_HINT) as new:
        for kind, file in (("images", "image.tif"), ("masks", "labels.tif")):
            pixels = tifffile.imread(SAMPLE_IMAGE / file)
            for split, regions in REGIONS.items():
                (new / split / kind).mkdir(parents=True)
                for name, region in regions.items():
                    tifffile.imwrite(new / split / kind / f"{name}.tif", pixels[region], compression="zlib")
    return folder
