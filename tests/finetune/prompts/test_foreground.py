"""Masks without prompts, from points at the centers of bright objects."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import disk
from squares import Squares

from finetune.data.normalization import build_normalize
from finetune.networks.sam2_promptable import MaskPrediction
from finetune.prompts.foreground import LABELS_BY, foreground_points
from finetune.prompts.model import PromptedModel
from finetune.targets.prompt_options import Prompts


class Doubtful(Squares):
    """Predicts a low IoU for each of its masks."""

    def predict_masks(self, *arguments, **options) -> MaskPrediction:
        found = super().predict_masks(*arguments, **options)
        return found._replace(iou=found.iou / 2)


def model(network: Squares) -> PromptedModel:
    normalize = build_normalize({"name": "percentile", "low": 1.0, "high": 99.8})
    return PromptedModel(network, Prompts(automatic="foreground"), normalize, "auto", 1, 32, {})


def picture(*centers: tuple[int, int], shape: tuple[int, int] = (64, 64)) -> np.ndarray:
    image = np.random.default_rng(0).integers(0, 20, shape).astype(np.uint8)
    for center in centers:
        image[disk(center, 6, shape=shape)] = 200
    return image


def test_each_bright_object_is_prompted_once_at_its_center() -> None:
    points = foreground_points(picture((16, 40), (48, 90), (10, 120), shape=(64, 128)))
    assert len(points) == 3
    for x, y in ((40, 16), (90, 48), (120, 10)):
        assert np.abs(points - (x, y)).max(axis=1).min() <= 1


def test_objects_get_labels_of_their_own() -> None:
    network = Squares()
    labels = model(network).predict(picture((16, 16), (48, 48)))
    assert sorted(np.unique(labels)) == [0, 1, 2]
    assert labels[16, 16] != labels[48, 48]
    assert labels[16, 16] and labels[48, 48] and not labels[16, 48]
    assert sum(len(points) for points, *_ in network.asked) == 2


def test_of_masks_that_cover_each_other_one_remains() -> None:
    # Squares of 32 × 32 pixels around points that are 13 pixels apart.
    labels = model(Squares()).predict(picture((30, 26), (30, 39)))
    assert sorted(np.unique(labels)) == [0, 1]


def test_masks_of_a_low_predicted_iou_are_dropped() -> None:
    assert not model(Doubtful()).predict(picture((16, 16), (48, 48))).any()


@pytest.mark.parametrize("value", [0, 7])
def test_an_image_without_objects_has_no_labels(value: int) -> None:
    network = Squares()
    assert not model(network).predict(np.full((64, 64), value, np.uint8)).any()
    assert not network.asked


def test_the_record_names_who_made_the_labels() -> None:
    assert model(Squares()).labels_by == LABELS_BY
