"""Conventions of folders and names, and what is listed because it is not read."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cards.errors import InputError
from finetune.data.layouts import unread
from finetune.data.pairs import find_pairs


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, np.zeros((8, 8), np.uint8))


def lines(root: Path) -> list[str]:
    return unread(root, [path for pair in find_pairs(root) for path in (pair.image, pair.label)])


@pytest.mark.parametrize("images", ["images", "image", "Imgs", "IMG", "raw"])
@pytest.mark.parametrize("masks", ["masks", "Mask", "labels", "label", "gt", "annotations"])
def test_usual_names_of_folders(tmp_path: Path, images: str, masks: str) -> None:
    put(tmp_path / "Train" / images / "a.tif", tmp_path / "Train" / masks / "a.tif")
    (pair,) = find_pairs(tmp_path)
    assert (pair.image.parent.name, pair.label.parent.name, pair.split) == (images, masks, "train")


@pytest.mark.parametrize("word", ["valid", "val", "Validation", "VALID"])
def test_usual_names_of_splits(tmp_path: Path, word: str) -> None:
    for split in ("train", word, "Test"):
        put(tmp_path / split / "images" / "a.tif", tmp_path / split / "masks" / "a.tif")
    assert [pair.split for pair in find_pairs(tmp_path)] == ["train", "validation", "test"]
    (tmp_path / "Val" if word != "val" else tmp_path / "valid").mkdir()
    with pytest.raises(InputError, match="holds both .*: keep one"):
        find_pairs(tmp_path)


def test_files_of_cellpose(tmp_path: Path) -> None:
    for name in ("a.tif", "a_cp_masks.tif", "a_flows.tif", "b.tif", "b_masks.tif", "b_cp_outlines.tif"):
        put(tmp_path / name)
    (tmp_path / "a_seg.npy").touch()
    pairs = find_pairs(tmp_path)
    assert [(p.image.name, p.label.name) for p in pairs] == [
        ("a.tif", "a_cp_masks.tif"),
        ("b.tif", "b_masks.tif"),
    ]
    assert lines(tmp_path) == ["3 files in data.root not read: a_flows.tif, a_seg.npy, b_cp_outlines.tif"]


def test_a_suffix_in_the_folder_of_masks(tmp_path: Path) -> None:
    put(tmp_path / "images" / "a.tif", tmp_path / "masks" / "a_masks.tif")
    put(tmp_path / "images" / "b.tif", tmp_path / "masks" / "b.tif")
    assert [pair.label.name for pair in find_pairs(tmp_path)] == ["a_masks.tif", "b.tif"]


def test_an_annotation_file_stands_in_for_a_missing_mask(tmp_path: Path) -> None:
    put(tmp_path / "a.tif", tmp_path / "b.tif", tmp_path / "b_masks.tif")
    (tmp_path / "a_seg.npy").touch()
    (tmp_path / "b_seg.npy").touch()
    assert [pair.label.name for pair in find_pairs(tmp_path)] == ["a_seg.npy", "b_masks.tif"]


def test_one_mask_per_object_is_recognized(tmp_path: Path) -> None:
    for name in ("a", "b"):
        put(tmp_path / name / "images" / f"{name}.tif", tmp_path / name / "masks" / "1.tif")
    pairs = find_pairs(tmp_path)
    assert [pair.name for pair in pairs] == ["a", "b"]
    (tmp_path / "b" / "masks" / "1.tif").unlink()
    (tmp_path / "b" / "masks").rmdir()
    with pytest.raises(InputError, match="b: holds images/ but no masks/: add"):
        find_pairs(tmp_path)


def test_names_from_a_mac_and_from_elsewhere_are_the_same(tmp_path: Path) -> None:
    name = "Zellkörper"
    put(tmp_path / "images" / f"{unicodedata.normalize('NFD', name)}.tif")
    put(tmp_path / "masks" / f"{unicodedata.normalize('NFC', name)}.tif")
    assert [pair.name for pair in find_pairs(tmp_path)] == [unicodedata.normalize("NFC", name)]


def test_the_home_folder_may_be_abbreviated(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "x" / "images" / "a.tif", tmp_path / "x" / "masks" / "a.tif")
    assert len(find_pairs("~/x")) == 1


def test_files_and_folders_that_are_not_read_are_listed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        put(tmp_path / "train" / "images" / f"{name}.tif", tmp_path / "train" / "masks" / f"{name}.tif")
    assert lines(tmp_path) == []
    (tmp_path / "train" / "images" / "c.bmp").touch()
    (tmp_path / "train" / "images" / ".hidden").touch()
    put(tmp_path / "train" / "images" / "extra" / "d.tif", tmp_path / "holdout" / "images" / "e.tif")
    assert lines(tmp_path) == [
        "1 file in train/images not read: c.bmp",
        "2 folders beside the ones used not read: holdout/, train/images/extra/",
    ]
