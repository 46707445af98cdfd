"""Lengths in micrometers from the units of image files."""

from __future__ import annotations

from math import isfinite
from typing import Any

MICROMETERS: dict[str, float] = {
    "nm": 1e-3, "nanometer": 1e-3,
    "µm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3,
    "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4,
    "m": 1e6, "meter": 1e6, "metre": 1e6,
}  # fmt: skip
"""Micrometers in each unit. An inch is missing on purpose: 72 dpi is the default of many writers."""

LARGEST = 1000.0  # µm per pixel; a larger value is a default, not a calibration


def micrometers(value: Any, unit: Any) -> float | None:
    """Convert a length.

    Args:
        value: a number, or text that is one.
        unit: name or symbol.

    Returns:
        Micrometers; None if the unit is unknown, or the value is no plausible size of a pixel.
    """
    text = str(unit or "").strip().replace("\\u00B5", "µ").replace("μ", "µ")  # Greek mu to micro sign
    factor = MICROMETERS.get(text.lower())
    try:
        length = float(value) * factor if factor else 0.0
    except (TypeError, ValueError):
        return None
    return length if isfinite(length) and 0 < length <= LARGEST else None
