"""Instances as GeoJSON for QuPath (RFC 7946, coordinates in pixels); `read_geojson` is the counterpart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.annotations.tracing import Polygon, Ring, trace
from finetune.inference.extras.registry import Segmented, plane_indices
from finetune.inference.markers import MARK, geojson_mark
from finetune.utils.atomic import new_file


def write(result: Segmented, path: Path) -> None:
    """Write one detection per instance, in the order of the labels; its name is the label.

    Args:
        result: the segmented image.
        path: the file, which must not exist.
    """
    features: list[dict[str, Any]] = []
    for index, labels in zip(plane_indices(result), result.labels, strict=True):
        for label, polygons in trace(labels):
            features.append(_feature(label, polygons, index))
    content = {"type": "FeatureCollection", MARK: geojson_mark(features), "features": features}
    with new_file(path) as file:
        file.write(json.dumps(content, separators=(",", ":")).encode())


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
