"""Instances as GeoJSON for QuPath (RFC 7946, coordinates in pixels); `read_geojson` is the counterpart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from finetune.data.annotations.tracing import Polygon, Ring, trace
from finetune.inference.extras.registry import Segmented, SegmentedParts, plane_indices
from finetune.inference.label_parts import trace_parts
from finetune.inference.markers import MARK, geojson_mark
from finetune.utils.atomic import new_file


def write(result: Segmented, path: Path) -> None:
    """Write one detection per instance, in the order of the labels; its name is the label.

    Args:
        result: the segmented image.
        path: the file, which must not exist.
    """
    planes = zip(plane_indices(result), result.instances, strict=True)
    _write((_feature(*one, index) for index, labels in planes for one in trace(labels)), path)


def write_parts(parts: SegmentedParts, path: Path) -> None:
    """Write the same for an image that is not kept in memory.

    Args:
        parts: the segmented image.
        path: the file, which must not exist.
    """
    _write((_feature(*one, {}) for one in trace_parts(parts.instances)), path)


def _write(features: Iterable[dict[str, Any]], path: Path) -> None:
    with new_file(path) as file:
        file.write(b'{"type":"FeatureCollection","features":[')
        mark = geojson_mark(_written(features, file))
        file.write(f'],"{MARK}":{json.dumps(mark)}}}'.encode())


def _written(features: Iterable[dict[str, Any]], file: IO[bytes]) -> Iterator[dict[str, Any]]:
    for number, feature in enumerate(features):
        text = json.dumps(feature, separators=(",", ":"))
        file.write(f"{',' if number else ''}{text}".encode())
        yield feature


def _feature(label: int, polygons: list[Polygon], index: dict[str, int]) -> dict[str, Any]:
    coordinates = [[_closed(ring) for ring in (part.outline, *part.holes)] for part in polygons]
    geometry: dict[str, Any] = (
        {"type": "Polygon", "coordinates": coordinates[0]}
        if len(coordinates) == 1
        else {"type": "MultiPolygon", "coordinates": coordinates}
    )
    if index:
        geometry["plane"] = {"c": -1, "z": index.get("Z", 0), "t": index.get("T", 0)}  # as QuPath exports it
    properties = {"objectType": "detection", "name": str(label)}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _closed(ring: Ring) -> list[list[int]]:
    closed: list[list[int]] = np.concatenate([ring, ring[:1]]).tolist()
    return closed
