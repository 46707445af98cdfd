"""What the tags of a model state in the vocabulary of bioimage.io.

Source: `tag_categories.json` of bioimageio.spec 0.5.12.
"""

from __future__ import annotations

from collections.abc import Sequence

MODALITIES = (
    "electron-microscopy",
    "cryo-electron-microscopy",
    "fluorescence-light-microscopy",
    "transmission-light-microscopy",
    "super-resolution-microscopy",
    "x-ray-microscopy",
    "force-microscopy",
    "high-content-imaging",
    "whole-slide-imaging",
)
STRUCTURES = (
    "cells",
    "nuclei",
    "extracellular-vesicles",
    "tissue",
    "plant",
    "mitochondria",
    "vasculature",
    "cell-membrane",
    "brain",
    "whole-organism",
)


def modality(tags: Sequence[str]) -> str | None:
    """Find the modality among tags.

    Args:
        tags: of the author.

    Returns:
        The first that is a modality of bioimage.io; None if none is.
    """
    return next((tag for tag in tags if tag in MODALITIES), None)


def structures(tags: Sequence[str]) -> list[str]:
    """Find the segmented structures among tags.

    Args:
        tags: of the author.

    Returns:
        Those that are structures of bioimage.io.
    """
    return [tag for tag in tags if tag in STRUCTURES]
