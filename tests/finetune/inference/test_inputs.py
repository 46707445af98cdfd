"""Which images `finetune predict` segments: files, folders, patterns and stacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cards.errors import DataError
from finetune.inference.inputs import find_images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "day 1").mkdir()
    for name in ("a.tif", "b.tif", "b_masks.tif", "c.png", "day 1/a.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((4, 5), np.uint8))
    (tmp_path / "notes.txt").write_text("notes")
    return tmp_path


def names(folder: Path, *inputs: str) -> list[str]:
    found, _ = find_images([folder / one for one in inputs])
    return [path.relative_to(folder).as_posix() for path in found]


def test_a_pattern_stands_for_the_images_that_match_it(folder: Path) -> None:
    assert names(folder, "*.tif") == ["a.tif", "b.tif"]
    assert names(folder, "[ac].*") == ["a.tif", "c.png"]
    assert names(folder, "**/a.tif") == ["a.tif", "day 1/a.tif"]


def test_several_inputs_are_joined_and_each_image_counts_once(folder: Path) -> None:
    assert names(folder, "c.png", "*.tif", "a.tif", "day 1") == ["c.png", "a.tif", "b.tif", "day 1/a.tif"]


def test_a_mask_that_is_named_itself_is_segmented(folder: Path) -> None:
    assert names(folder, "b_masks.tif") == ["b_masks.tif"]


def test_what_a_pattern_matches_besides_images_is_noted(folder: Path) -> None:
    _, notes = find_images(folder / "*")
    assert any("notes.txt" in note for note in notes) and any("b_masks.tif" in note for note in notes)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("x*.tif", "no file matches this pattern"), ("*.txt", "but no images"), ("x.tif", "no such file")],
)
def test_an_input_without_images_is_one_line(folder: Path, pattern: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as error:
        find_images(folder / pattern)
    assert "\n" not in str(error.value) and pattern in str(error.value)


def test_a_name_with_brackets_is_no_pattern_if_the_file_exists(folder: Path) -> None:
    tifffile.imwrite(folder / "cells[1].tif", np.zeros((4, 5), np.uint8))
    assert names(folder, "cells[1].tif") == ["cells[1].tif"]


def test_a_folder_with_brackets_that_exists_is_no_pattern(folder: Path) -> None:
    (folder / "day 1").rename(folder / "day [1]")
    (folder / "day 1").mkdir()
    assert names(folder, "day [1]/*.tif") == names(folder, "day [1]/**/[a-b].tif") == ["day [1]/a.tif"]
    assert names(folder, "day*/*.tif") == ["day [1]/a.tif"]


def test_a_pattern_does_not_open_the_files_inside_an_ome_zarr_image(folder: Path) -> None:
    image = folder / "a.zarr"
    image.mkdir()
    (image / "zarr.json").write_text("{}")
    tifffile.imwrite(image / "inside.tif", np.zeros((4, 5), np.uint8))
    assert names(folder, "**/*") == ["a.tif", "a.zarr", "b.tif", "c.png", "day 1/a.tif"]


def test_an_image_that_a_pattern_finds_again_through_a_link_counts_once(folder: Path) -> None:
    once, _ = find_images(f"{folder}/**/*.tif")
    (folder / "self").symlink_to(folder)
    assert find_images(f"{folder}/**/*.tif")[0] == once


def test_an_empty_input_is_not_the_current_folder() -> None:
    with pytest.raises(DataError, match="INPUT: is empty"):
        find_images("")
