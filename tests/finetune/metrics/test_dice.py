"""Dice of one image."""

from __future__ import annotations

import numpy as np
import pytest

from finetune.metrics.dice import dice


def image(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, dtype=np.int32)


def test_by_hand() -> None:
    prediction = image([[1, 1, 0], [0, 2, 0]])
    reference = image([[0, 7, 7], [0, 7, 0]])
    assert dice(prediction, reference) == pytest.approx(2 * 2 / (3 + 3))


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ([[0, 0]], [[0, 0]], 1.0),
        ([[1, 0]], [[0, 0]], 0.0),
        ([[0, 0]], [[1, 0]], 0.0),
        ([[5, 0]], [[1, 0]], 1.0),
    ],
)
def test_empty_images(prediction: list[list[int]], reference: list[list[int]], expected: float) -> None:
    assert dice(image(prediction), image(reference)) == expected


def test_masks_of_bool_will_do() -> None:
    assert dice(np.array([[True, False]]), image([[3, 3]])) == pytest.approx(2 / 3)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 2\) and reference \(2, 1\) differ in shape"):
        dice(image([[0, 1]]), image([[0], [1]]))
