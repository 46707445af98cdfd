import json

import numpy as np
import pytest
import tifffile
from field import cut, make_field
from PIL import Image

from cards.errors import InputError
from finetune.data.description import describe_data
from finetune.data.seams_picture import check_picture, write_seams

SIDE = 128


def write(root, split, images):
    for kind in ("images", "masks"):
        (root / split / kind).mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        tifffile.imwrite(root / split / "images" / f"{name}.tif", image[0])
        mask = np.zeros(image.shape[1:], np.uint16)
        mask[2:9, 2:9], mask[20:30, 20:30] = 1, 2
        tifffile.imwrite(root / split / "masks" / f"{name}.tif", mask)


@pytest.fixture
def folder(tmp_path):
    tiles = cut(make_field(SIDE, 2 * SIDE), SIDE)
    others = {f"other{i}": make_field(SIDE, SIDE, 10 + i) for i in range(4)}
    root = tmp_path / "data"
    write(root, "train", {"left": tiles["r0c0"], **others})
    write(root, "test", {"right": tiles["r0c1"], "copy": others["other1"][:, ::-1]})
    return root


def test_a_data_set_is_described_with_its_related_images(folder):
    described = describe_data(folder)
    facts = json.loads(json.dumps(described.to_json()))
    assert facts["images"] == {"train": 5, "test": 2}
    assert facts["sizes"] == {"128 × 128": 7}
    assert facts["dtypes"] == {"uint8": 7}
    assert facts["instances"] == {"total": 14, "median": 2, "least": 2, "most": 2}
    assert facts["fields"] == 5
    assert {(one["first"], one["second"], one["kind"]) for one in facts["related"]} == {
        ("train/other1", "test/copy", "near"),
        ("train/left", "test/right", "same field"),
    }
    assert "2 of 2 test images are related to a training image" in facts["warnings"]
    assert described.lines()["related"] == "2 pairs of images: 1 altered, 1 in the same field of view"


def test_images_without_a_split_are_recommended_a_split_by_field(tmp_path):
    write(tmp_path, ".", cut(make_field(SIDE, 2 * SIDE), SIDE) | {"z": make_field(SIDE, SIDE, 5)})
    described = describe_data(tmp_path)
    assert described.lines()["images"] == "3, not split"
    assert described.warnings == ["images are related: split them with data.split=by-field"]


def test_the_picture_joins_adjacent_tiles(folder, tmp_path):
    path = tmp_path / "seams.png"
    described = describe_data(folder)
    assert write_seams(described, path) == 1
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert (np.abs(pixels - (230, 159, 0)).max(axis=2) < 12).any()  # the mark of the seam
    check_picture(path)  # an earlier picture may be replaced
    assert write_seams(described, path) == 1


def test_a_picture_replaces_no_other_file(folder, tmp_path):
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        check_picture(other)
    with pytest.raises(InputError, match="no such folder"):
        check_picture(tmp_path / "none" / "seams.png")
    lonely = tmp_path / "lonely"
    write(lonely, "train", {"a": make_field(SIDE, SIDE, 1), "b": make_field(SIDE, SIDE, 2)})
    assert write_seams(describe_data(lonely), tmp_path / "seams.png") == 0
    assert not (tmp_path / "seams.png").exists()
