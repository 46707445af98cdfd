"""Drawing the regions of ImageJ and Fiji: one `.roi`, or a set in a ZIP archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cards.errors import DataError
from finetune.data.annotations.outlines import fill
from finetune.utils.optional import require


def read_rois(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Draw polygons, freehand and traced regions, rectangles and ovals.

    Args:
        path: `.roi` file, or a ZIP archive of such files.
        shape: height and width of the image.

    Returns:
        (H, W) int32; regions are numbered from 1 in the order of the file.

    Raises:
        DataError: if the file is damaged, or a region is a line, a point or a composite.
        InputError: if the package roifile is missing.
    """
    require("roifile", "formats")
    import roifile
    from skimage.draw import ellipse

    try:
        regions = roifile.ImagejRoi.fromfile(path)
    except Exception as error:  # the reader raises whatever it likes on a damaged file
        raise DataError(f"{path}: cannot be read as regions of ImageJ: save them again") from error
    kinds = roifile.ROI_TYPE
    labels = np.zeros(shape, np.int32)
    for number, region in enumerate(regions if isinstance(regions, list) else [regions], 1):
        if region.composite or region.roitype not in {
            kinds.POLYGON,
            kinds.FREEHAND,
            kinds.TRACED,
            kinds.RECT,
            kinds.OVAL,
        }:
            kind = "a composite" if region.composite else f"of type {region.roitype.name.lower()}"
            raise DataError(
                f"{path}: region {number} ({region.name or 'without a name'}) is {kind}: "
                "only polygons, freehand regions, rectangles and ovals are read; delete or convert it"
            )
        if region.roitype == kinds.OVAL:
            radii = (region.bottom - region.top) / 2, (region.right - region.left) / 2
            center = region.top + radii[0] - 0.5, region.left + radii[1] - 0.5
            labels[ellipse(*center, *radii, shape=shape)] = number
        else:
            fill(labels, [region.coordinates()], number)
    return labels
