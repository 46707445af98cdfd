"""Prediction of a folder: one label image per image, and no file is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cards.errors import DataError
from finetune.inference.folder import FolderPrediction, predict_folder
from finetune.inference.protocol import Predictor


class Columns:
    """Labels each bright column of an image."""

    channels = 1

    def __init__(self, repeat: int = 1) -> None:
        self.repeat = repeat

    def predict(self, image: np.ndarray) -> np.ndarray:
        bright = np.asarray(image).reshape(-1, *image.shape[-2:])[0] > 0
        return (np.cumsum(bright, axis=1) * bright * self.repeat).astype(np.int32)


def write(path: Path, columns: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((4, 9), np.uint8)
    image[:, :columns] = 200
    tifffile.imwrite(path, image)


def test_each_image_gets_a_label_image_of_its_name(tmp_path: Path) -> None:
    for name, columns in (("b.tif", 2), ("a.tif", 5)):
        write(tmp_path / "images" / name, columns)
    (tmp_path / "images" / "notes.txt").write_text("no image")
    assert isinstance(Columns(), Predictor)
    results = list(predict_folder(Columns(), tmp_path / "images", tmp_path / "labels"))
    assert results == [
        FolderPrediction(tmp_path / "images" / "a.tif", tmp_path / "labels" / "a.tif", 5),
        FolderPrediction(tmp_path / "images" / "b.tif", tmp_path / "labels" / "b.tif", 2),
    ]
    labels = tifffile.imread(results[0].labels)
    assert labels.dtype == np.uint16 and labels.max() == 5
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == ["a.tif", "b.tif"]


def test_more_than_65535_instances_keep_their_numbers(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", 3)
    (result,) = predict_folder(Columns(repeat=50_000), tmp_path / "a.tif", tmp_path / "labels")
    labels = tifffile.imread(result.labels)
    assert labels.dtype == np.int32 and labels.max() == result.instances == 150_000


def test_two_images_of_one_name_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif", "b.tiff"):
        write(tmp_path / "images" / name, 1)
    with pytest.raises(DataError) as error:
        list(predict_folder(Columns(), tmp_path / "images", tmp_path / "labels"))
    message = str(error.value)
    assert "b.tif and " in message and "b.tiff: both label images would be" in message
    assert "\n" not in message
    assert not (tmp_path / "labels").exists()


def test_an_image_is_never_replaced_by_its_labels(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", 3)
    before = (tmp_path / "a.tif").read_bytes()
    with pytest.raises(DataError, match=r"a\.tif: its label image would replace the image"):
        list(predict_folder(Columns(), tmp_path, tmp_path))
    assert (tmp_path / "a.tif").read_bytes() == before


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="contains no images"):
        list(predict_folder(Columns(), tmp_path, tmp_path / "labels"))
