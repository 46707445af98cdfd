from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from cards.errors import DataError
from finetune.data.normalization import Percentile, ScaleLinear, ZeroMeanUnitVariance
from finetune.data.streaming_statistics import Blocks, measure


def in_blocks(image: np.ndarray, rows: int = 7, columns: int = 11) -> Blocks:
    def read() -> Iterator[np.ndarray]:
        for top in range(0, image.shape[1], rows):
            for left in range(0, image.shape[2], columns):
                yield image[:, top : top + rows, left : left + columns]

    return read


def images() -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    yield rng.integers(0, 256, (3, 40, 31)).astype(np.uint8)
    yield rng.integers(0, 2**16, (1, 40, 31)).astype(np.uint16)
    yield rng.normal(size=(2, 40, 31)).astype(np.float32)
    yield (rng.normal(size=(1, 41, 30)) * 1e-30).astype(np.float32)
    yield rng.integers(-1000, 10**6, (1, 50, 20)).astype(np.int32)
    yield np.where(rng.uniform(size=(1, 30, 30)) < 0.01, 1.0, -0.0).astype(np.float32)
    yield np.full((1, 5, 5), 7, np.uint16)
    yield np.array([[[3.5]]], np.float32)


@pytest.mark.parametrize("image", images())
@pytest.mark.parametrize("limits", [(1.0, 99.8), (0.0, 100.0), (3.3, 50.0)])
def test_percentiles_are_those_of_the_image_in_memory(image: np.ndarray, limits: tuple[float, float]) -> None:
    normalize = Percentile(low=limits[0], high=limits[1])
    statistics = measure(normalize, in_blocks(image))
    np.testing.assert_array_equal(normalize.apply(image, statistics), normalize(image))
    expected = np.percentile(image.astype(np.float32), limits, axis=(1, 2))
    np.testing.assert_array_equal(statistics, expected)


@pytest.mark.parametrize("image", images())
def test_mean_and_deviation_are_those_of_the_image_in_memory(image: np.ndarray) -> None:
    normalize = ZeroMeanUnitVariance()
    statistics = measure(normalize, in_blocks(image))
    np.testing.assert_allclose(normalize.apply(image, statistics), normalize(image), rtol=1e-6, atol=1e-6)


def test_a_linear_scale_needs_no_statistics() -> None:
    image = np.ones((1, 3, 4), np.uint8)
    normalize = ScaleLinear(gain=2.0)
    assert measure(normalize, in_blocks(image)).shape == (2, 0)
    np.testing.assert_array_equal(normalize.apply(image, np.empty((2, 0))), 2)


def test_pixels_that_are_not_finite_are_reported() -> None:
    image = np.ones((1, 20, 20), np.float32)
    image[0, 19, 3] = np.nan
    with pytest.raises(DataError, match="NaN"):
        measure(Percentile(), in_blocks(image))
