"""Pixel size in the header of a TIFF: OME-XML, ImageJ, or resolution per centimeter."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from tifffile import RESUNIT, TiffFile

from finetune.data.units import micrometers

Lengths = dict[str, float | None]


def pixel_lengths(tif: TiffFile) -> Lengths:
    """Length of a pixel along Z, Y and X.

    Args:
        tif: an open TIFF file.

    Returns:
        Micrometers by axis; None where the file does not state a length.
    """
    if tif.is_ome and tif.ome_metadata:
        return _ome(tif.ome_metadata)
    tags = tif.pages.first.tags
    per_unit = {axis: _ratio(tags.get(name)) for axis, name in (("Y", "YResolution"), ("X", "XResolution"))}
    if tif.is_imagej:
        metadata = tif.imagej_metadata or {}
        unit = metadata.get("unit")
        lengths = {axis: micrometers(1 / value, unit) if value else None for axis, value in per_unit.items()}
        return lengths | {"Z": micrometers(metadata.get("spacing"), unit)}
    unit_tag = tags.get("ResolutionUnit")
    if unit_tag is None or unit_tag.value != RESUNIT.CENTIMETER:
        return {}
    return {axis: micrometers(1 / value, "cm") if value else None for axis, value in per_unit.items()}


def _ome(text: str) -> Lengths:
    """Lengths of the first image of OME-XML, whose default unit is µm."""
    try:
        pixels = ElementTree.fromstring(text.encode()).find(".//{*}Pixels")
    except ElementTree.ParseError:
        return {}
    if pixels is None:
        return {}
    return {
        axis: micrometers(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        for axis in "ZYX"
    }


def _ratio(tag: Any) -> float | None:
    if tag is None or not tag.value[1]:
        return None
    return tag.value[0] / tag.value[1] or None
