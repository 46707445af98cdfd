"""Sentences of a card on images that are larger than a tile: receptive field and tile mismatch."""

from __future__ import annotations

from cards import formatting as words
from cards.evidence import Tiling
from cards.record import RunRecord


def tiling_sentences(record: RunRecord) -> str:
    """State whether labels depend on the tiles in which a large image is predicted.

    Args:
        record: the run.

    Returns:
        Two sentences: the receptive field, and the tile mismatch.
    """
    tiling = record.tiling
    if tiling is None:
        return "Receptive field and tile mismatch: not measured."
    return f"{_receptive_field(tiling)} {_mismatch(tiling)}"


def _receptive_field(tiling: Tiling) -> str:
    if tiling.receptive_field is None:
        return "Receptive field: not measured."
    if tiling.receptive_field == "image" and tiling.image_statistics:
        return (
            "Some layers use statistics of the whole input, such as its mean. All tiles use those of the "
            "whole image, which are measured first, so that labels agree up to rounding."
        )
    if tiling.receptive_field == "image":
        return "Every output pixel depends on the whole input, so labels depend on the tile."
    return (
        f"An output pixel depends on input pixels up to {tiling.receptive_field} px away "
        "(receptive field, measured by gradient), which the halo of the tiles covers."
    )


def _mismatch(tiling: Tiling) -> str:
    if tiling.mismatch is None or tiling.tile is None:
        return "Tile mismatch: not measured, because no image is larger than a tile."
    compared = f"{words.counted(tiling.images, 'image')}, with tiles of {tiling.tile} × {tiling.tile} px"
    if tiling.mismatch == 0:
        return f"Tile mismatch: none; labels were the same in all pixels of {compared}."
    low, high = (
        f"{100 * value:.2g}" for value in tiling.mismatch_range or (tiling.mismatch, tiling.mismatch)
    )
    spread = f" ({low} to {high}% of an image)" if low != high else ""
    size = (
        f" It depends on the tile size and on the image size, which was up to {tiling.side} px here; "
        "`finetune predict --tile-mismatch` measures it on each image."
        if tiling.side
        else ""
    )
    return f"Tile mismatch: {100 * tiling.mismatch:.2g}% of the pixels of {compared}{spread}.{size}"
