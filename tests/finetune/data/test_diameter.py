"""Diameters of objects, against cellpose's own."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import disk

from cards.errors import InputError
from finetune.data.diameter import diameter, mean_diameter, typical_diameter


def discs(*radii: int) -> np.ndarray:
    labels = np.zeros((64, 64 * len(radii)), np.int32)
    for index, radius in enumerate(radii):
        labels[disk((32, 64 * index + 32), radius, shape=labels.shape)] = 3 * index + 1  # with gaps
    return labels


def test_a_disc_has_the_diameter_of_a_disc() -> None:
    assert diameter(discs(10)) == pytest.approx(20, rel=0.03)
    assert diameter(discs(5, 10, 30)) == pytest.approx(20, rel=0.03)


def test_is_what_cellpose_measures() -> None:
    utils = pytest.importorskip("cellpose.utils")
    for labels in (discs(5, 9, 20), discs(7, 12)):
        assert diameter(labels) == pytest.approx(utils.diameters(labels)[0])


def test_the_mean_is_over_images_that_hold_something() -> None:
    empty = np.zeros((8, 8), np.int32)
    assert mean_diameter([discs(10), empty, discs(20)]) == pytest.approx(30, rel=0.03)
    assert mean_diameter([discs(1)]) == 5.0


def test_nothing_to_measure_is_said() -> None:
    with pytest.raises(InputError, match="no training label holds an object to measure"):
        mean_diameter([np.zeros((8, 8), np.int32)])


def test_fragments_hardly_change_the_typical_diameter() -> None:
    labels = discs(10, 10, 10)
    specks = labels.copy()
    specks[:8:2, :40:2] = np.arange(1, 81).reshape(4, 20) + labels.max()
    assert typical_diameter(specks) == typical_diameter(labels) == pytest.approx(20, rel=0.03)
    assert diameter(specks) < 2
    assert typical_diameter(np.zeros((5, 5), np.int32)) is None
