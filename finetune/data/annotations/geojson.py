"""Drawing objects that QuPath exported as GeoJSON (RFC 7946, with coordinates in pixels)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from cards.errors import DataError
from finetune.data.annotations.outlines import check_drawn, fill


def read_geojson(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Draw polygons and multipolygons, with holes.

    Args:
        path: GeoJSON file: a feature collection, a list of features, or one feature.
        shape: height and width of the image.

    Returns:
        (H, W) int32; features are numbered from 1 in the order of the file.

    Raises:
        DataError: if the file is damaged, holds points or lines, or annotations together with detections, or
            belongs to an image of another size.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        features = content.get("features", [content]) if isinstance(content, dict) else content
        return _draw(features, path, shape)
    except DataError:
        raise
    except Exception as error:  # anything may stand where coordinates are expected
        raise DataError(f"{path}: cannot be read as GeoJSON: export it from QuPath again") from error


def _draw(features: list[dict[str, Any]], path: Path, shape: tuple[int, int]) -> np.ndarray:
    kinds = {(feature.get("properties") or {}).get("objectType", "annotation") for feature in features}
    if "annotation" in kinds and len(kinds) > 1:
        raise DataError(
            f"{path}: holds annotations together with {' and '.join(sorted(kinds - {'annotation'}))} objects"
            ": export only the objects to be segmented"
        )
    labels, drawn = np.zeros(shape, np.int32), []
    for number, feature in enumerate(features, 1):
        geometry = feature["geometry"]
        if geometry["type"] not in {"Polygon", "MultiPolygon"}:
            raise DataError(
                f"{path}: feature {number} is a {geometry['type']}: only Polygon and MultiPolygon are read; "
                "delete or convert it"
            )
        polygons = geometry["coordinates"]
        parts = [polygons] if geometry["type"] == "Polygon" else polygons
        drawn.append(any([fill(labels, rings, number) for rings in parts]))
    check_drawn(drawn, path, shape)
    return labels
