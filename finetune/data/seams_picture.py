"""Pictures of seams: two adjacent tiles, joined, so that a person can see that objects continue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from cards.canvas import ORANGE, resize_image, rgb, stretch
from cards.contact_sheet import SIDE, Tile, contact_sheet, is_contact_sheet
from cards.errors import InputError
from finetune.data.description import Description
from finetune.data.fields import Seam, find_seams
from finetune.utils.atomic import atomic_file, disk_errors

SHOWN = 12
WINDOW = 144  # pixels of the tiles that are shown along and across the seam
MARK = 12  # pixels of the lines that mark the seam at the border of the picture
LONGEST_NAME = 12


def check_picture(path: Path) -> None:
    """Check that a picture may be written.

    Args:
        path: the PNG to write.

    Raises:
        InputError: if the file exists and is no earlier picture of finetune, or has no folder.
    """
    if path.exists() and not is_contact_sheet(path):
        raise InputError(f"{path}: exists already; choose another name for the picture")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder; create it first")


def write_seams(described: Description, path: Path) -> int:
    """Write a PNG of adjacent tiles; those of different splits come first.

    Args:
        described: the data set.
        path: the PNG to write; see `check_picture`.

    Returns:
        Number of seams on the picture, at most `SHOWN`; without seams, nothing is written.
    """
    adjacent = {frozenset(link[:2]) for link in described.links if link.kind == "same field"}
    borders = [one.imprint.borders for one in described.checked if one.imprint is not None]
    seams = [seam for seam in find_seams(borders) if frozenset((seam.first, seam.second)) in adjacent]
    seams.sort(key=lambda seam: described.split(seam.first) == described.split(seam.second))
    if not seams:
        return 0
    tiles = [_draw(described, seam) for seam in seams[:SHOWN]]
    with disk_errors(path, "choose another file with --picture"), atomic_file(path) as temporary:
        contact_sheet(tiles, temporary)
    return len(tiles)


def _draw(described: Description, seam: Seam) -> Tile:
    names = [
        f"{described.split(index)} {_short(described.checked[index].file.name)}"
        for index in (seam.first, seam.second)
    ]
    pixels = described.load(seam.first), described.load(seam.second)
    return Tile(" | ".join(names), draw_seam(*pixels, beside=seam.edge_of_first == "right"))


def draw_seam(first: np.ndarray, second: np.ndarray, *, beside: bool) -> np.ndarray:
    """Draw the part of two adjacent tiles where their intensities vary most along the seam.

    Args:
        first: the left or upper tile (C, H, W), any range.
        second: the right or lower tile, with as many channels and a border of equal length.
        beside: whether the tiles lie side by side; otherwise one above the other.

    Returns:
        RGB (h, w, 3) from 0 to 1, the longer side `SIDE` pixels; both ends of the seam are marked.
    """
    across = 2 if beside else 1
    half = WINDOW // 2
    one = first[:, :, -half:] if across == 2 else first[:, -half:]
    two = second[:, :, :half] if across == 2 else second[:, :half]
    joined = np.concatenate([one, two], axis=across)
    line = first[0, :, -1] if across == 2 else first[0, -1]
    start = _liveliest(line.astype(np.float32))
    joined = joined[:, start : start + WINDOW] if across == 2 else joined[:, :, start : start + WINDOW]
    canvas = resize_image(stretch(joined), SIDE / max(joined.shape[1:]))
    at = round(canvas.shape[across - 1] * one.shape[across] / joined.shape[across])
    _mark(canvas, at, vertical=beside)
    return canvas


def _mark(canvas: np.ndarray, at: int, *, vertical: bool) -> None:
    """Mark the seam at both ends; between them, nothing hides it."""
    view = canvas if vertical else canvas.swapaxes(0, 1)
    view[:MARK, at - 1 : at + 1] = view[-MARK:, at - 1 : at + 1] = rgb(ORANGE)


def _liveliest(line: np.ndarray) -> int:
    """Start of the part of a border in which intensities vary most."""
    if len(line) <= WINDOW:
        return 0
    spread = ndimage.uniform_filter1d((line - np.median(line)) ** 2, WINDOW)
    start = int(spread[WINDOW // 2 : len(line) - WINDOW // 2 + 1].argmax())
    return min(start, len(line) - WINDOW)


def _short(name: str) -> str:
    name = "".join(letter if letter.isprintable() else "?" for letter in name)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
