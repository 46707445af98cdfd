"""Folders and names that a user may have: links, number signs, images beside the folders of splits."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cards.errors import DataError
from finetune.data.annotations.outlines import fill
from finetune.data.images import read_labels
from finetune.data.inspection import inspect_pairs
from finetune.data.pairs import find_pairs
from finetune.data.splits import assign_splits
from finetune.metrics.instances import match_instances

IMAGE = np.random.default_rng(0).integers(0, 255, (40, 40)).astype(np.uint8)


def write(folder: Path, *names: str) -> Path:
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name in names:
            tifffile.imwrite(folder / kind / name, IMAGE)
    return folder


def test_a_number_sign_in_a_name_is_no_page(tmp_path: Path) -> None:
    write(tmp_path, *(f"embryo #{number}.tif" for number in range(10)))
    pairs, _ = assign_splits(find_pairs(tmp_path), validation=0.1, test=0.2, seed=0)
    splits = [pair.split for pair in pairs]
    assert {split: splits.count(split) for split in ("train", "validation", "test")} == {
        "train": 7,
        "validation": 1,
        "test": 2,
    }


def test_images_in_linked_folders_keep_their_place_in_the_record(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / "elsewhere" / split, "0.tif")
        (tmp_path / "root" / split).mkdir(parents=True)
        for kind in ("images", "masks"):
            (tmp_path / "root" / split / kind).symlink_to(tmp_path / "elsewhere" / split / kind)
    pairs = find_pairs(tmp_path / "root")
    found = inspect_pairs(pairs, "instances", "auto", tmp_path / "root")
    assert sorted(one.file.image for one in found) == ["test/images/0.tif", "train/images/0.tif"]


def test_images_beside_the_folders_of_splits_are_not_forgotten(tmp_path: Path) -> None:
    write(tmp_path, "a.tif", "b.tif")
    write(tmp_path / "test", "c.tif")
    with pytest.raises(DataError, match="holds images/ beside test/: move images/"):
        find_pairs(tmp_path)


def test_annotations_named_by_macos_are_found(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "Zähler_1")
    tifffile.imwrite(tmp_path / f"{name}.tif", IMAGE)
    np.save(tmp_path / "x.npy", {"masks": np.eye(40, dtype=np.int32)}, allow_pickle=True)  # type: ignore[arg-type]
    (tmp_path / "x.npy").rename(tmp_path / f"{name}_seg.npy")
    (pair,) = find_pairs(tmp_path)
    assert pair.label.name == f"{name}_seg.npy"


def test_a_coco_file_for_each_image_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for number in range(3):
        tifffile.imwrite(tmp_path / "images" / f"{number}.tif", IMAGE)
        square = [2, 2, 9, 2, 9, 9, 2, 9]
        listed = {"id": 1, "file_name": f"{number}.tif"}
        objects = [{"image_id": 1, "segmentation": [square]}, {"image_id": 77, "segmentation": [square]}]
        content = json.dumps({"images": [listed], "annotations": objects})
        (tmp_path / "images" / f"{number}.json").write_text(content)
    assert [pair.label.name for pair in find_pairs(tmp_path)] == ["0.json", "1.json", "2.json"]


def test_drawing_a_small_polygon_does_not_touch_the_whole_image() -> None:
    large = np.lib.stride_tricks.as_strided(np.zeros(1, np.int32), (10**6, 10**6), (0, 0))
    fill(large, [[(5, 5), (9, 5), (9, 9)]], 3)  # the whole image would not fit into memory
    assert large[0, 0] == 3


def test_a_mask_with_more_pixels_than_pillow_opens(tmp_path: Path) -> None:
    size = (13_500, 13_500)
    Image.new("L", size).save(tmp_path / "large.png", compress_level=1)
    assert read_labels(tmp_path / "large.png").shape == size


def test_a_tie_between_many_instances_takes_no_square_of_memory() -> None:
    count = 200_000  # a matrix of all pairs would take 160 GB
    reference = np.repeat(np.arange(1, count + 1), 4).reshape(-1, 4).astype(np.int32)
    prediction = reference.copy()
    prediction[0, :2] = count + 1
    matched = match_instances(prediction, reference).matched(0.5)
    assert len(matched) == count and matched.sum() == count - 0.5
