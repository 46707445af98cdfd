"""Axes of images and of the output of a package, as comments in example code."""

from __future__ import annotations

from cards.markdown import Markdown
from cards.record import RunRecord
from cards.statements import objects

AXES = {"b": "batch", "c": "channels", "y": "height", "x": "width"}


def image_axes(record: RunRecord) -> Markdown:
    """State the axes of an image, for a comment in example code.

    Args:
        record: the run.

    Returns:
        Names of the axes in parentheses.
    """
    return Markdown("(height, width)" if record.model.channels == 1 else "(channels, height, width)")


def package_input(record: RunRecord) -> Markdown:
    """State axes and size of the input of a BioImage.IO package, for a comment in example code.

    Args:
        record: the run.

    Returns:
        Names of the axes in parentheses, and of which number height and width are multiples.
    """
    divisor = record.model.divisor
    size = f"; height and width are multiples of {divisor}" if divisor > 1 else ""
    return Markdown(f"{image_axes(record)}{size}")


def output_axes(record: RunRecord) -> Markdown:
    """State the axes of the output of a BioImage.IO package, for a comment in example code.

    Args:
        record: the run.

    Returns:
        Names of the axes in parentheses, and "label image" where the output is one.
    """
    target = record.model.target
    names = AXES | {"c": "1"} if target.exports_labels else AXES
    axes = ", ".join(names[letter] for letter in target.exported_axes or "bcyx")
    return Markdown(f"label image ({axes})" if target.exports_labels else f"({axes})")


def label_axes(record: RunRecord) -> str:
    """Describe the label image.

    Args:
        record: the run.

    Returns:
        Shape and meaning of its values.
    """
    if objects(record) == "boundaries":
        return "boundary mask (height, width): 1 = boundary, 0 = elsewhere"
    return "label image (height, width), 0 = background"
