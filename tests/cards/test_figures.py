from __future__ import annotations

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.testing import assert_allclose

from cards import figures as pictures
from cards.training import Epoch


@pytest.fixture
def scene():
    """An image with two squares, their labels, and a prediction that lost one and moved the other."""
    image = np.random.default_rng(0).integers(0, 40, (1, 64, 96)).astype(np.uint16)
    reference = np.zeros((64, 96), np.int32)
    reference[8:24, 8:24], reference[30:50, 40:70] = 1, 2
    image[:, reference > 0] += 100
    return image, reference, np.where(np.roll(reference, 3, axis=1) == 2, 1, 0).astype(np.int32)


def has(picture, color):
    from matplotlib.colors import to_rgb

    return bool((np.abs(picture[..., :3] - np.array(to_rgb(color))).max(axis=-1) < 0.01).any())


def twice(draw, tmp_path):
    """Draw two times and return the picture: the files have to be the same."""
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    draw(first)
    draw(second)
    assert first.read_bytes() == second.read_bytes()
    return imread(first)


def test_histogram(full, tmp_path):
    stages = full.accuracy
    with_before = twice(lambda path: pictures.histogram(stages.after, stages.before, path), tmp_path)
    without = twice(lambda path: pictures.histogram(stages.after, None, path), tmp_path)
    assert with_before.shape == without.shape
    assert not np.array_equal(with_before, without)


def test_training_curve(full, tmp_path):
    history = full.training.history
    picture = twice(lambda path: pictures.training_curve(history, path, best_epoch=32), tmp_path)
    assert has(picture, pictures.BLUE)
    assert has(picture, pictures.ORANGE)
    pictures.training_curve([Epoch(epoch=1, loss=0.5)], tmp_path / "one.png")
    with pytest.raises(ValueError, match="no epoch"):
        pictures.training_curve([], tmp_path / "none.png")


def without_margins(picture):
    """The image of an overlay, without the title and the legend, which shows all colors."""
    margin = round(0.28 * pictures.DOTS)
    return picture[margin:-margin]


def test_overlay_shows_both_outlines_and_leaves_its_input_alone(scene, tmp_path):
    before = [array.copy() for array in scene]
    picture = twice(lambda path: pictures.overlay(*scene, path, "an image, Dice 0.5"), tmp_path)
    assert has(without_margins(picture), pictures.REFERENCE)
    assert has(without_margins(picture), pictures.PREDICTION)
    assert max(picture.shape) >= pictures.SHORTEST
    for array, kept in zip(scene, before, strict=True):
        assert np.array_equal(array, kept)


def test_lines_are_filled(scene, tmp_path):
    image, reference, prediction = scene
    black = 0 * image  # a bright pixel has the color of both
    picture = twice(lambda path: pictures.overlay(black, reference, prediction, path, filled=True), tmp_path)
    assert has(without_margins(picture), pictures.BOTH)
    pictures.overlay(black, reference, 0 * prediction, tmp_path / "none.png", filled=True)
    assert not has(without_margins(imread(tmp_path / "none.png")), pictures.BOTH)


@pytest.mark.parametrize("shape", [(70, 40), (1, 70, 40), (2, 70, 40), (3, 70, 40), (5, 70, 40), (3, 1, 1)])
def test_every_kind_of_image_can_be_shown(shape):
    image = np.random.default_rng(0).normal(100, 20, shape).astype(np.float32)
    shown = pictures.stretch(image)
    assert shown.shape == (*shape[-2:], 3)
    assert 0 <= shown.min() <= shown.max() <= 1
    assert (shape[0] == 3) or np.array_equal(shown[..., 0], shown[..., 1])
    assert_allclose(pictures.stretch(np.full(shape, 7)), 0)


def test_large_images_are_made_small(tmp_path):
    image = np.zeros((1, 40, 3000), np.float32)
    labels = np.zeros((40, 3000), np.int32)
    pictures.overlay(image, labels, labels, tmp_path / "large.png")
    assert imread(tmp_path / "large.png").shape[1] == pictures.LONGEST


@pytest.mark.parametrize("channels", [1, 3])
def test_a_cover_is_what_bioimageio_asks_for(tmp_path, channels):
    rng = np.random.default_rng(0)
    image, labels = rng.normal(size=(channels, 700, 900)), rng.integers(0, 50, (700, 900), dtype=np.int32)
    picture = twice(lambda path: pictures.cover(image, labels, path), tmp_path)
    assert (tmp_path / "first.png").stat().st_size <= 500_000
    assert picture.shape[1] == 2 * picture.shape[0]
