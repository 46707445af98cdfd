"""The contact sheet of a dry run replaces no file but an earlier one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cards.contact_sheet import draw_tile, is_contact_sheet
from cards.record import DataFile
from finetune.pipeline.preview import describe_images, write_preview

TILES = [draw_tile(np.ones((1, 9, 9)), np.ones((9, 9), np.int32), "a")]


def test_an_earlier_sheet_is_replaced_and_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "mine.preview.png"
    for _ in range(2):
        assert str(path) in write_preview(TILES, tmp_path / "runs" / "mine")
        assert is_contact_sheet(path)
    path.write_bytes(b"mine")
    assert "not written" in write_preview(TILES, tmp_path / "runs" / "mine")
    assert path.read_bytes() == b"mine"
    assert [file.name for file in path.parent.iterdir()] == ["mine.preview.png"]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "not written" in write_preview(TILES, tmp_path / "file" / "mine")


def test_the_images_are_described_in_one_line() -> None:
    def file(shape: list[int], dtype: str) -> DataFile:
        return DataFile.model_construct(shape=shape, dtype=dtype)

    same = [file([1, 64, 80], "uint8")] * 3
    assert (
        describe_images(same, 0, 255, 3) == "64 × 80 px (height × width), 1 channel, uint8, values 0 to 255"
    )
    mixed = [file([3, 64, 80], "uint8"), file([1, 50, 90], "uint16")]
    assert describe_images(mixed, 0.5, 1000, 1) == (
        "50 × 80 to 64 × 90 px (height × width), 1 channel or 3 channels, uint16, uint8, values 0.5 to 1000 "
        "in 1 of 2 images"
    )
