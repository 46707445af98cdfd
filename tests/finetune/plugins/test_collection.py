"""Collections: files selected by a pattern, and wrong collections refused in one line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from plugin_inputs import write_collection

from cards.errors import InputError
from finetune.plugins.collection import check_alike, check_partners, select


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_collection(tmp_path / "images", ("r001_c1", "r002_c1", "r002_c2"))


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        (".*", 3),
        (r"r002_.*", 2),
        ("r{rrr}_c1.ome.tif", 2),
        ("r{r:ddd}_c{c:d+}.ome.tif", 3),
        (r".*c2\.ome\.tif", 1),
    ],
)
def test_a_pattern_selects_files(folder: Path, pattern: str, count: int) -> None:
    assert len(select(folder, pattern, "imageDir")) == count


def test_what_a_prediction_writes_beside_label_images_is_left_out(folder: Path) -> None:
    for name in ("prediction.json", "measurements.csv"):
        (folder / name).touch()
    (folder / "overlays").mkdir()
    assert len(select(folder, ".*", "predictionDir")) == 3


def test_hidden_files_are_no_images(folder: Path) -> None:
    (folder / ".DS_Store").write_bytes(b"x")
    assert len(select(folder, ".*", "imageDir")) == 3


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "x.*",
            "--imageDir: FOLDER: no name matches the pattern 'x.*'; the collection holds r001_c1.ome.tif",
        ),
        ("*.tif", "--filePattern '*.tif': not a regular expression"),
    ],
)
def test_a_wrong_pattern_is_one_error(folder: Path, pattern: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message.replace("FOLDER", str(folder)))):
        select(folder, pattern, "imageDir")


def test_an_empty_collection_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--imageDir: .*: the collection is empty"):
        select(tmp_path, ".*", "imageDir")


def test_other_files_than_images_are_one_error(folder: Path) -> None:
    (folder / "notes.txt").write_text("x")
    with pytest.raises(
        InputError, match=r"holds other files than images: notes\.txt; select .* --filePattern"
    ):
        select(folder, ".*", "imageDir")
    assert len(select(folder, r".*\.tif", "imageDir")) == 3


def test_the_same_name_with_two_endings_is_one_error(folder: Path) -> None:
    tifffile.imwrite(folder / "r001_c1.tif", np.zeros((8, 8), np.uint8))
    with pytest.raises(InputError, match=r"r001_c1\.ome\.tif and r001_c1\.tif have the same name"):
        select(folder, ".*", "imageDir")


@pytest.mark.parametrize("image", [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint16)])
def test_a_mixed_collection_is_one_error(folder: Path, image: np.ndarray) -> None:
    tifffile.imwrite(folder / "z.tif", image)
    with pytest.raises(
        InputError, match="--imageDir: the collection is mixed: .* 1 channel of uint8, z.tif "
    ):
        check_alike(select(folder, ".*", "imageDir"), "imageDir")


def test_a_file_without_a_partner_is_one_error(folder: Path, tmp_path: Path) -> None:
    images = select(folder, ".*", "imageDir")
    names = ("imageDir", "maskDir")
    check_partners(images, images, names)
    with pytest.raises(InputError, match="--imageDir: 1 of 3 files have no partner in --maskDir: r002_c2"):
        check_partners(images, images[:2], names)
    with pytest.raises(InputError, match="--maskDir: 1 of 3 files have no partner in --imageDir: r001_c1"):
        check_partners(images[1:], images, names)
