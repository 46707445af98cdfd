"""Images with odd names, sizes and values: each fails for itself, and no label is wrong without a word."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from saved_model import save_small_model

import finetune
from cards.errors import DataError, InputError
from finetune.inference.journal import file_state
from finetune.inference.symmetries import SymmetricModel

IMAGE = np.random.default_rng(0).integers(0, 255, (32, 40)).astype(np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_model(tmp_path_factory.mktemp("models") / "a")


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `a`, which is the working directory."""
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    return tmp_path / "a"


@pytest.mark.parametrize("source", ["../a", "."])
def test_the_message_of_a_damaged_image_keeps_its_letters(model: Path, images: Path, source: str) -> None:
    tifffile.imwrite(images / "good.tif", IMAGE)
    (images / "cut.tif").write_bytes((images / "good.tif").read_bytes()[:600])
    finetune.predict(model, source, out=images.parent / "labels")
    written = json.loads((images.parent / "labels" / "prediction.json").read_text(encoding="utf-8"))
    (error,) = [image["error"] for image in written["predictions"][0]["images"] if image["error"]]
    assert error.startswith("cannot be read, it may be damaged or cut short (")
    assert str(images) not in error


def test_a_name_that_is_not_utf8_fails_alone(model: Path, images: Path) -> None:
    tifffile.imwrite(images / "good.tif", IMAGE)
    tifffile.imwrite(images / "bad.tif", IMAGE)
    (images / "bad.tif").rename(os.fsdecode(b"bad\xff.tif"))
    results = finetune.predict(model, images, out=images.parent / "labels")
    errors = {result.image.name: result.error for result in results}
    assert errors.pop("good.tif") is None
    assert "not valid UTF-8; rename the file" in str(list(errors.values()))
    assert "bad\\\\udcff.tif" in (images.parent / "labels" / "prediction.json").read_text(encoding="utf-8")


def test_a_name_that_begins_with_a_tilde_is_a_name(model: Path, images: Path) -> None:
    tifffile.imwrite(images / "~tilde.tif", IMAGE)
    finetune.predict(model, "~tilde.tif", out="~nobody-here")
    assert (images / "~nobody-here" / "~tilde.tif").is_file()


def test_a_pixel_size_that_no_tiff_tag_can_hold_stays_in_the_metadata(model: Path, images: Path) -> None:
    sizes = {"PhysicalSizeX": 6.5e-8, "PhysicalSizeY": 6.5e-8}
    tifffile.imwrite(images / "meters.ome.tif", IMAGE, ome=True, metadata={"axes": "YX", **sizes})
    (result,) = finetune.predict(model, images, out=images.parent / "labels")
    assert result.error is None
    with tifffile.TiffFile(result.labels) as written:
        assert 'PhysicalSizeX="6.5e-08"' in str(written.ome_metadata)


def test_one_pixel_with_all_symmetries(model: Path) -> None:
    labels = SymmetricModel(finetune.load(model)).predict(IMAGE[:1, :1])
    assert labels.shape == (1, 1)


def test_a_name_in_the_table_is_no_formula(model: Path, images: Path) -> None:
    tifffile.imwrite(images / "=1+1.tif", IMAGE)
    finetune.predict(model, images, out=images.parent / "labels", save=["measurements"])
    with (images.parent / "labels" / "measurements.csv").open(newline="", encoding="utf-8") as file:
        assert {row["image"] for row in csv.DictReader(file)} == {"'=1+1.tif"}


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.where(np.eye(32), np.nan, 1.0), "32 of 1,024 values are NaN or infinite"),
        (np.full((32, 32), 1e300), "1,024 of 1,024 values are NaN or infinite"),
        (np.zeros((0, 0)), "no pixels"),
    ],
    ids=["NaN", "too large for float32", "empty"],
)
def test_an_array_is_checked_like_a_file(model: Path, array: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        finetune.predict(model, array)


def test_an_unknown_precision_and_an_empty_list_are_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no precision fp32"):
        finetune.predict(model, IMAGE, precision="fp32")
    with pytest.raises(DataError, match="the list of images is empty"):
        finetune.predict(model, [], out=tmp_path / "labels")


def test_a_chunk_that_changed_changes_the_state_of_a_zarr_group(tmp_path: Path) -> None:
    (tmp_path / "image.zarr" / "0").mkdir(parents=True)
    (tmp_path / "image.zarr" / "zarr.json").write_text("{}")
    chunk = tmp_path / "image.zarr" / "0" / "c"
    chunk.write_bytes(b"1")
    before = file_state(tmp_path / "image.zarr")
    chunk.write_bytes(b"2")
    os.utime(chunk, ns=(1, chunk.stat().st_mtime_ns + 1))
    assert file_state(tmp_path / "image.zarr") != before
