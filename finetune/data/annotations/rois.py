"""Drawing the regions of ImageJ and Fiji: one `.roi`, or a set in a ZIP archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import DataError
from finetune.data.annotations.outlines import check_drawn, fill, fill_even_odd
from finetune.utils.optional import require


def read_rois(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Draw polygons, freehand and traced regions, rectangles, ovals and composites of polygons.

    Args:
        path: `.roi` file, or a ZIP archive of such files.
        shape: height and width of the image.

    Returns:
        (H, W) int32; regions are numbered from 1 in the order of the file.

    Raises:
        DataError: if the file is damaged, a region is a line, a point or a curve, regions lie on different
            planes of a stack, or they belong to an image of another size.
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
    labels, drawn = np.zeros(shape, np.int32), []
    regions = regions if isinstance(regions, list) else [regions]
    _check_positions(path, regions)
    for number, region in enumerate(regions, 1):
        name = f"region {number} ({region.name or 'without a name'})"
        if region.composite:
            try:
                drawn.append(fill_even_odd(labels, list(region.coordinates(multi=True)), number))
            except NotImplementedError:  # curves
                raise DataError(f"{path}: {name} has curves: interpolate it in ImageJ") from None
            continue
        if region.roitype not in {
            kinds.POLYGON,
            kinds.FREEHAND,
            kinds.TRACED,
            kinds.RECT,
            kinds.OVAL,
        }:
            raise DataError(
                f"{path}: {name} is of type {region.roitype.name.lower()}: only polygons, freehand regions, "
                "rectangles, ovals and composites are read; delete or convert it"
            )
        if region.roitype == kinds.OVAL:
            radii = (region.bottom - region.top) / 2, (region.right - region.left) / 2
            center = region.top + radii[0] - 0.5, region.left + radii[1] - 0.5
            inside = ellipse(*center, *radii, shape=shape)
            labels[inside] = number
            drawn.append(len(inside[0]) > 0)
        else:
            drawn.append(fill(labels, [region.coordinates()], number))
    check_drawn(drawn, path, shape)
    return labels


def _check_positions(path: Path, regions: Sequence[Any]) -> None:
    """Refuse regions of different planes: their image is one plane, on which all of them would be drawn.

    The position in a stack counts from 1; 0 is any plane. The channel does not matter.
    """
    for attribute, axis in (("position", "slice"), ("z_position", "z"), ("t_position", "t")):
        positions = sorted({getattr(region, attribute) for region in regions} - {0})
        if len(positions) > 1:
            raise DataError(
                f"{path}: its regions lie on {len(positions)} planes of a stack ({axis} "
                f"{', '.join(map(str, positions[:3]))}{', …' if len(positions) > 3 else ''}): save image "
                "and regions of each plane to their own files"
            )
