"""Instances as regions of ImageJ and Fiji, a ZIP archive for the ROI Manager; `read_rois` reads it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.annotations.tracing import Polygon, trace
from finetune.inference.extras.registry import Segmented, SegmentedParts, plane_indices
from finetune.inference.label_parts import trace_parts
from finetune.inference.markers import software
from finetune.utils.atomic import new_file

MOVE, LINE, CLOSE = 0.0, 1.0, 4.0  # segments of a path: java.awt.geom.PathIterator
EPOCH = (1980, 1, 1, 0, 0, 0)  # equal labels give equal files


def write(result: Segmented, path: Path) -> None:
    """Write one region per instance, named by its label; with holes or several parts, a composite region.

    Args:
        result: the segmented image.
        path: the file, which must not exist.
    """
    with _open(path) as archive:
        for number, (index, labels) in enumerate(
            zip(plane_indices(result), result.instances, strict=True), 1
        ):
            plane = f"{number:04d}-" if index else ""
            for label, polygons in trace(labels):
                region = _region(polygons, f"{plane}{label:05d}")
                if len(index) == 1:
                    region.position = number
                elif index:
                    region.z_position, region.t_position = index["Z"] + 1, index["T"] + 1
                _add(region, archive)


def write_parts(parts: SegmentedParts, path: Path) -> None:
    """Write the same for an image that is not kept in memory.

    Args:
        parts: the segmented image.
        path: the file, which must not exist.
    """
    with _open(path) as archive:
        for label, polygons in trace_parts(parts.instances):
            _add(_region(polygons, f"{label:05d}"), archive)


@contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    with new_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = software().encode()
        yield archive


def _add(region: Any, archive: zipfile.ZipFile) -> None:
    archive.writestr(zipfile.ZipInfo(f"{region.name}.roi", EPOCH), region.tobytes())


def _region(polygons: list[Polygon], name: str) -> Any:
    from roifile import ROI_TYPE, ImagejRoi

    rings = [ring for part in polygons for ring in (part.outline, *part.holes)]
    region = ImagejRoi.frompoints(rings[0].astype(np.int32), name=name)
    points = np.concatenate(rings)
    region.left, region.top = points.min(axis=0).tolist()
    region.right, region.bottom = points.max(axis=0).tolist()
    if len(rings) == 1:
        region.roitype = ROI_TYPE.TRACED
        return region
    segments: list[float] = []
    for ring in rings:
        for kind, (x, y) in zip([MOVE, *[LINE] * (len(ring) - 1)], ring.tolist(), strict=True):
            segments += [kind, x, y]
        segments.append(CLOSE)
    region.roitype, region.n_coordinates, region.integer_coordinates = ROI_TYPE.RECT, 0, None
    region.multi_coordinates = np.array(segments, np.float32)
    region.shape_roi_size = len(segments)
    return region
