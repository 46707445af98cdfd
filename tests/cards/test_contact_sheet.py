"""The contact sheet shows each image with its outlines, and is recognized as finetune's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cards.contact_sheet import contact_sheet, draw_tile, is_contact_sheet

LABELS = np.zeros((60, 90), np.int32)
LABELS[10:30, 10:30], LABELS[10:30, 30:60] = 1, 2


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 3, 9])
def test_a_sheet_of_any_number_of_images_and_channels(tmp_path: Path, channels: int, count: int) -> None:
    image = np.random.default_rng(0).integers(0, 4000, (channels, 60, 90)).astype(np.uint16)
    tiles = [draw_tile(image, LABELS, f"$x_{index}^$ · train") for index in range(count)]
    contact_sheet(tiles, tmp_path / "sheet.partial")
    with Image.open(tmp_path / "sheet.partial") as picture:
        assert picture.format == "PNG" and picture.width > 300
    assert is_contact_sheet(tmp_path / "sheet.partial")


def test_touching_instances_are_outlined_in_two_colors() -> None:
    tile = draw_tile(np.zeros((1, 60, 90)), LABELS, "a")
    colors = {tuple(color) for color in tile.image.reshape(-1, 3).round(3)}
    assert len(colors) == 3  # background and two outlines


@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (5000, 3)])
def test_odd_shapes(tmp_path: Path, shape: tuple[int, int]) -> None:
    contact_sheet([draw_tile(np.ones((1, *shape)), np.ones(shape, np.int32), "a")], tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size


def test_other_files_are_not_taken_for_contact_sheets(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("text")
    contact_sheet([draw_tile(np.ones((1, 9, 9)), np.ones((9, 9), np.int32), "a")], tmp_path / "own.png")
    (tmp_path / "link.png").symlink_to("own.png")
    for name in ("a.png", "b.png", "link.png", "missing.png"):
        assert not is_contact_sheet(tmp_path / name)
