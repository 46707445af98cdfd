"""`finetune join-tiles`: a data set of tiles becomes one of whole fields of view."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from field import cut, make_field
from skimage.measure import label

from finetune.data.calibration import read_calibration
from finetune.data.images import read_image, read_labels
from finetune.data.pairs import find_pairs

PATTERN = ["--names", "{field}_r{row}c{column}"]


@pytest.fixture
def fields(tmp_path: Path) -> dict[str, np.ndarray]:
    """Two fields, one of them for testing, cut into 2 × 3 tiles of 96 pixels each."""
    made = {"train/a": make_field(192, 288, seed=1), "test/b": make_field(192, 288, seed=2)}
    for place, field in made.items():
        split, name = place.split("/")
        for kind in ("images", "masks"):
            (tmp_path / "tiles" / split / kind).mkdir(parents=True)
        for tile, pixels in cut(field, 96).items():
            path = tmp_path / "tiles" / split / "images" / f"{name}_{tile}.tif"
            tifffile.imwrite(path, pixels[0], resolution=(2e4, 2e4), resolutionunit="CENTIMETER")
            labels = label(pixels[0] > 40).astype(np.uint16)
            tifffile.imwrite(path.parent.parent / "masks" / path.name, labels)
    return made


def test_images_and_masks_are_those_that_were_cut(command, fields, tmp_path: Path) -> None:
    done = command("join-tiles", "tiles", *PATTERN, "--out", "whole")
    assert done.returncode == 0, done.stderr
    assert "a: 2 × 3 tiles, 192 × 288 px, border lines correlate at 0.9" in done.stdout
    assert (
        done.stdout.endswith("wrote 2 images to whole; content of the masks: instances\n") and not done.stderr
    )
    pairs = find_pairs(tmp_path / "whole")
    assert [(pair.split, pair.name) for pair in pairs] == [("train", "a"), ("test", "b")]
    for pair in pairs:
        field = fields[f"{pair.split}/{pair.name}"]
        image = read_image(pair.image)
        assert image.dtype == np.uint8 and np.array_equal(image, field)
        assert read_calibration(pair.image)[:2] == (0.5, 0.5)
        labels, whole = read_labels(pair.label), label(field[0] > 40)
        assert np.array_equal(labels > 0, whole > 0)
        assert labels.max() == whole.max()
    with (tmp_path / "whole" / "tiles.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert list(rows[5].values()) == ["a_r1c2", "train/images/a.tif", "96", "192", "96", "96"]


def test_masks_of_boundaries_are_recognized_and_stay_as_they_are(command, fields, tmp_path: Path) -> None:
    lines = np.zeros((96, 96), np.uint8)
    lines[8::20] = lines[9::20] = lines[:, 8::20] = lines[:, 9::20] = 255
    for path in (tmp_path / "tiles").rglob("masks/*.tif"):
        tifffile.imwrite(path, lines)
    done = command("join-tiles", "tiles", *PATTERN, "--out", "whole")
    assert done.stdout.endswith("wrote 2 images to whole; content of the masks: boundary\n"), done.stderr
    assert np.array_equal(read_labels(tmp_path / "whole/train/masks/a.tif"), np.tile(lines, (2, 3)))


def test_the_same_tiles_give_the_same_bytes(command, fields, tmp_path: Path) -> None:
    for out in ("one", "two"):
        assert (
            command("join-tiles", "tiles", *PATTERN, "--labels", "foreground", "--out", out).returncode == 0
        )
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_colors_sizes_that_differ_and_images_without_masks(command, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 65535, (3, 700, 90), np.uint16)
    (tmp_path / "tiles").mkdir()
    for row, (top, bottom) in enumerate([(0, 600), (600, 700)]):
        for column, (left, right) in enumerate([(0, 50), (50, 90)]):
            path = tmp_path / "tiles" / f"x_r{row + 1}c{column + 1}.tif"
            tifffile.imwrite(path, image[:, top:bottom, left:right], metadata={"axes": "CYX"})
    done = command("join-tiles", "tiles", *PATTERN, "--labels", "none", "--out", "whole")
    assert done.returncode == 0, done.stderr
    assert np.array_equal(read_image(tmp_path / "whole" / "x.tif"), image)
    (tmp_path / "data").mkdir()
    shutil.copytree(tmp_path / "tiles", tmp_path / "data" / "images")
    within = command("join-tiles", "data", *PATTERN, "--labels", "none", "--out", "whole_2")
    assert within.returncode == 0, within.stderr
    assert np.array_equal(read_image(tmp_path / "whole_2" / "x.tif"), image)
    assert "warning: x: the tiles do not continue each other: check --names" in done.stderr  # it is noise


def test_what_cannot_be_joined_is_one_line_and_leaves_nothing(command, fields, tmp_path: Path) -> None:
    def refused(*arguments: str) -> str:
        before = sorted(path.name for path in tmp_path.iterdir())
        done = command("join-tiles", *arguments)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        return done.stderr

    assert "tiles: exists already; choose another folder" in refused("tiles", *PATTERN, "--out", "tiles")
    assert "none: no such folder" in refused("none", *PATTERN, "--out", "whole")
    assert "no such folder" in refused("none", *PATTERN, "--labels", "none", "--out", "whole")
    assert "holds no images" in refused("tiles", *PATTERN, "--labels", "none", "--out", "whole")
    images = str(Path("tiles", "train", "images"))
    assert "add --labels none" in refused(images, *PATTERN, "--out", "whole")
    assert "do not match" in refused("tiles", "--names", "{field}-{row}-{column}", "--out", "whole")
    tile = tmp_path / "tiles" / "train" / "images" / "a_r1c2.tif"
    tifffile.imwrite(tile, np.zeros((96, 95), np.uint8))
    assert "its image (96, 95)" in refused("tiles", *PATTERN, "--out", "whole")
    tifffile.imwrite(tile.parent.parent / "masks" / tile.name, np.zeros((96, 95), np.uint8))
    assert "it must have shape (1, 96, 96)" in refused("tiles", *PATTERN, "--out", "whole")
    for path in (tile, tile.parent.parent / "masks" / tile.name):
        path.unlink()
    said = refused("tiles", *PATTERN, "--out", "whole")
    assert "1 of 2 × 3 tiles are missing: row 1, column 2 of a" in said
