"""Are new images like the training images? Warnings have figures, and similar images give none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cards.image_statistics import ImageStatistics
from finetune.data.calibration import read_calibration
from finetune.data.headers import read_header
from finetune.data.statistics import measure_image, summarize
from finetune.inference.similarity import Comparison, compare_images


def cells(bright: float = 100, diameter: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Image (H, W) of bright squares on a dark background, and its labels."""
    labels = np.zeros((64, 64), np.int32)
    for number in range(4):
        y, x = 16 * number, 16 * (3 - number)
        labels[y : y + diameter, x : x + diameter] = number + 1
    noise = np.random.default_rng(0).normal(0, 0.02 * bright, labels.shape)
    image = np.where(labels > 0, bright, 0.1 * bright) + noise
    return np.clip(image, 0, 255).astype(np.uint8), labels


def write(path: Path, image: np.ndarray, pixel_size: float | None = 0.2) -> Path:
    options = (
        {"resolution": (1 / pixel_size, 1 / pixel_size), "metadata": {"unit": "um"}} if pixel_size else {}
    )
    tifffile.imwrite(path, image, imagej=True, **options)
    return path


@pytest.fixture
def training(tmp_path: Path) -> ImageStatistics:
    measured = []
    for index, bright in enumerate((80, 100, 120)):
        image, labels = cells(bright)
        path = write(tmp_path / f"train_{index}.tif", image)
        measured.append(measure_image(image[None], path, labels))
    summary = summarize(measured)
    assert summary is not None
    return summary


def compare(path: Path, training: ImageStatistics | None) -> Comparison:
    return compare_images({path: read_header(path)}, training, "auto")


def test_statistics_describe_the_training_images(training: ImageStatistics) -> None:
    assert training.images == 3 and training.pixel_size_um is not None and training.diameter_px is not None
    assert training.pixel_size_um.median == pytest.approx(0.2)
    assert training.diameter_px.median == pytest.approx(2 * 10 / np.pi**0.5, rel=1e-3)
    (channel,) = training.channels
    assert channel.bright.low == pytest.approx(80 / 255, rel=0.1) and channel.middle.high < 0.2


def test_similar_images_give_no_warning(tmp_path: Path, training: ImageStatistics) -> None:
    found = compare(write(tmp_path / "a.tif", cells(90)[0]), training)
    assert (found.warnings, found.reason) == ([], None)
    assert found.compare_objects([11.0, 12.0]) is None and found.warnings == []


@pytest.mark.parametrize(
    ("image", "pixel_size", "words"),
    [
        (cells(25)[0], 0.2, "times darker than the training images (99.8th percentile 0.0"),
        (cells(100)[0], 0.65, "pixels are 3.2 times larger than those of the training images (pixel size "
         "0.65 µm; training images 0.2 µm)"),
        (255 - cells(200)[0], 0.2, "more of an image is bright than in the training images"),
    ],
)  # fmt: skip
def test_each_difference_is_one_line_with_figures(
    tmp_path: Path, training: ImageStatistics, image: np.ndarray, pixel_size: float, words: str
) -> None:
    found = compare(write(tmp_path / "a.tif", image, pixel_size), training)
    assert any(words in warning for warning in found.warnings), found.warnings
    assert all("\n" not in warning for warning in found.warnings)
    assert found.to_json()["images"]["images"] == 1


def test_intensities_of_different_types_are_not_compared(tmp_path: Path, training: ImageStatistics) -> None:
    found = compare(write(tmp_path / "a.tif", cells(100)[0].astype(np.uint16) * 4), training)
    assert found.warnings == []
    expected = "intensity was not compared: the images are uint16, the training images uint8"
    assert found.to_json()["not_compared"] == expected


def test_the_size_of_predicted_objects_is_compared(tmp_path: Path, training: ImageStatistics) -> None:
    found = compare(write(tmp_path / "a.tif", cells()[0]), training)
    warning = found.compare_objects([34.0, 36.0, 30.0])
    assert warning is not None and warning == found.warnings[-1]
    assert "3.0 times larger" in warning and "typical diameter 34.0 px; training images 11.3 px" in warning


def test_a_pixel_size_that_is_not_stated_is_not_compared(tmp_path: Path, training: ImageStatistics) -> None:
    path = write(tmp_path / "a.tif", cells()[0], None)
    assert read_calibration(path).size is None
    assert compare(path, training).warnings == []


def test_a_model_without_statistics_says_that_nothing_was_compared(tmp_path: Path) -> None:
    found = compare(write(tmp_path / "a.tif", cells()[0]), None)
    assert found.warnings == [] and "holds no statistics" in str(found.reason)


def test_of_a_large_image_windows_are_compared(tmp_path: Path, training: ImageStatistics) -> None:
    path = write(tmp_path / "a.tif", cells(25)[0])
    header = read_header(path)._replace(height=2**20, width=2**20)
    assert compare_images({path: header}, training, "auto").warnings == compare(path, training).warnings != []


def test_large_images_that_cannot_be_read_in_parts_are_not_compared(
    tmp_path: Path, training: ImageStatistics
) -> None:
    Image.fromarray(cells(25)[0]).save(tmp_path / "a.png")
    header = read_header(tmp_path / "a.png")._replace(height=2**20, width=2**20)
    found = compare_images({tmp_path / "a.png": header}, training, "auto")
    assert "too large" in str(found.reason) and found.warnings == []
