"""Outlines of instances along the edges of their pixels, so that drawing them again gives the same labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import ndimage

Ring = np.ndarray  # (N, 2): x and y in pixels, from the upper left corner of the image; not closed


class Polygon(NamedTuple):
    """A connected part of an instance.

    Attributes:
        outline: counterclockwise in (x, y).
        holes: clockwise.
    """

    outline: Ring
    holes: list[Ring]


def trace(labels: np.ndarray) -> Iterator[tuple[int, list[Polygon]]]:
    """Trace the instances of a label image.

    Coordinates are those of the corners of pixels, as in QuPath and ImageJ: the area of a polygon is its
    number of pixels, and `finetune.data.annotations.outlines.fill` fills the same pixels.

    Args:
        labels: (H, W) integer, 0 is background.

    Yields:
        The label of each instance, in ascending order, and its parts; pixels that touch at a corner only are
        different parts.
    """
    for label, place in enumerate(ndimage.find_objects(labels), start=1):
        if place is None:
            continue
        parts, count = ndimage.label(labels[place] == label)
        corner = np.array([place[1].start, place[0].start])
        polygons = []
        for part in range(1, count + 1):
            rings = [ring + corner for ring in _rings(parts == part)]
            outline = max(rings, key=_area)
            polygons.append(Polygon(outline, [ring for ring in rings if ring is not outline]))
        yield label, polygons


def _rings(mask: np.ndarray) -> list[Ring]:
    """Closed paths around a 4-connected mask. None passes through a corner twice."""
    following = _edges(mask)
    rings = []
    while following:
        path, places = [next(iter(following))], {}
        places[path[0]] = 0
        while path:
            ends = following[path[-1]]
            end = ends.pop()
            if not ends:
                del following[path[-1]]
            if end not in places:
                places[end] = len(path)
                path.append(end)
                continue
            start = places[end]  # the path has come back: cut off the ring
            rings.append(_corners(path[start:]))
            for corner in path[start + 1 :]:
                del places[corner]
            path = path[: start + 1] if start else []
    return rings


def _edges(mask: np.ndarray) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Ends of the edges that leave each corner; the mask lies to the right on a screen, y pointing down."""
    padded = np.pad(mask, 1)
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    inside = padded[1:-1, 1:-1]
    sides = (
        (inside & ~padded[:-2, 1:-1], (0, 0), (1, 0)),  # upper side, from left to right
        (inside & ~padded[1:-1, 2:], (1, 0), (1, 1)),
        (inside & ~padded[2:, 1:-1], (1, 1), (0, 1)),
        (inside & ~padded[1:-1, :-2], (0, 1), (0, 0)),
    )
    for edge, (start_x, start_y), (end_x, end_y) in sides:
        for y, x in zip(*(indices.tolist() for indices in np.nonzero(edge)), strict=True):
            following.setdefault((x + start_x, y + start_y), []).append((x + end_x, y + end_y))
    return following


def _corners(path: list[tuple[int, int]]) -> Ring:
    """The points of a path at which it turns."""
    points = np.array(path)
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return points[(before != after).any(axis=1)]


def _area(ring: Ring) -> float:
    """Signed area: positive for the outline, negative for holes."""
    x, y = ring.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2
