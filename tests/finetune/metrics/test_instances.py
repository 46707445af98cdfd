"""AP and PQ on instances, against figures by hand and a plain computation of our own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.metrics.instances import average_precision, match_instances, panoptic_quality

THRESHOLDS = {"ap50": 0.5, "ap75": 0.75, "ap90": 0.9}


def instance_scores(prediction: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """AP at three thresholds and PQ, from one matching."""
    matches = match_instances(prediction, reference)
    scores = {name: average_precision(matches, threshold) for name, threshold in THRESHOLDS.items()}
    return scores | {"pq": panoptic_quality(matches)}


def by_the_book(prediction: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """From the definitions, for thresholds of 0.5 and more with IoU above it, where matches are unique."""
    predicted = [prediction == i for i in np.unique(prediction) if i]
    referred = [reference == i for i in np.unique(reference) if i]
    ious = np.array([[(p & r).sum() / (p | r).sum() for r in referred] for p in predicted])
    scores = {}
    for name, threshold in THRESHOLDS.items():
        hits = int((ious >= threshold).sum()) if ious.size else 0
        total = len(predicted) + len(referred) - hits
        scores[name] = hits / total if total else 1.0
    halves = (len(predicted) + len(referred)) / 2
    matched = ious[ious >= 0.5].sum() if ious.size else 0.0
    return scores | {"pq": float(matched / halves) if halves else 1.0}


def test_by_hand() -> None:
    reference = np.zeros((10, 20), np.int32)
    reference[0:4, 0:5] = 1  # 20 pixels
    reference[5:9, 0:5] = 2  # 20 pixels
    reference[0:4, 10:15] = 3  # missed
    prediction = np.zeros_like(reference)
    prediction[0:4, 0:4] = 9  # 16 of 20: IoU 0.8
    prediction[5:9, 0:5] = 4  # IoU 1
    prediction[5:9, 10:12] = 5  # where there is nothing
    scores = instance_scores(prediction, reference)
    assert scores["ap50"] == pytest.approx(2 / (2 + 1 + 1))
    assert scores["ap75"] == pytest.approx(2 / 4)
    assert scores["ap90"] == pytest.approx(1 / (1 + 2 + 2))
    assert scores["pq"] == pytest.approx((0.8 + 1) / (2 + 1 / 2 + 1 / 2))


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
@settings(max_examples=60)
def test_agrees_with_the_definitions(seed: int, blocks: int) -> None:
    rng = np.random.default_rng(seed)
    reference = rng.integers(0, 4, (5, 5)).repeat(blocks, 0).repeat(blocks, 1) * 5
    prediction = np.where(rng.random(reference.shape) < 0.17, rng.integers(0, 4, reference.shape), reference)
    ties = [
        np.isclose((prediction == p)[reference == r].sum() * 2, ((prediction == p) | (reference == r)).sum())
        for p in np.unique(prediction)
        for r in np.unique(reference)
    ]
    if not any(ties):  # at an IoU of exactly 1/2 one instance may match two
        assert instance_scores(prediction, reference) == pytest.approx(by_the_book(prediction, reference))


@pytest.mark.parametrize("reverse", [False, True])
def test_one_half_of_an_instance_matches_it(reverse: bool) -> None:
    whole = np.repeat([[0, 1, 2, 3]], 4, axis=0).repeat(4, axis=1)
    halves = whole.copy()
    halves[:2, whole[0] == 1], halves[2:, whole[0] == 3] = 9, 5
    scores = instance_scores(*((whole, halves) if reverse else (halves, whole)))
    assert scores["ap50"] == pytest.approx(3 / 5)  # three matches, two halves without a partner
    assert scores["pq"] == pytest.approx((0.5 + 1 + 0.5) / 4)


def test_empty_images() -> None:
    empty, full = np.zeros((4, 4), np.int32), np.eye(4, dtype=np.int32)
    assert instance_scores(empty, empty) == {"ap50": 1, "ap75": 1, "ap90": 1, "pq": 1}
    assert instance_scores(full, full) == {"ap50": 1, "ap75": 1, "ap90": 1, "pq": 1}
    for prediction, reference in [(empty, full), (full, empty)]:
        assert instance_scores(prediction, reference) == {"ap50": 0, "ap75": 0, "ap90": 0, "pq": 0}


def test_images_without_background() -> None:
    reference = np.array([[1, 1, 2, 2]])
    assert instance_scores(reference * 2_000_000_000 // 2, reference)["ap90"] == 1


def test_numbers_of_instances_do_not_matter_however_large() -> None:
    reference = np.array([[0, 1, 1, 2], [0, 0, 3, 2]], np.int32)
    prediction = np.array([0, 2**31 - 1, 77, 4], np.int32)[reference]
    assert instance_scores(prediction, reference)["ap90"] == 1


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        instance_scores(np.zeros((2, 3), int), np.zeros((3, 2), int))


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=80)
def test_equals_stardist(seed: int, references: int, predictions: int) -> None:
    matching = pytest.importorskip("stardist.matching").matching
    rng = np.random.default_rng(seed)
    reference = rng.integers(0, references + 1, (6, 6)).repeat(4, 0).repeat(4, 1)
    noise = rng.integers(0, predictions + 1, reference.shape)
    prediction = np.where(rng.random(reference.shape) < rng.choice([0.1, 0.3, 0.9]), noise, reference)
    if not reference.any() and not prediction.any():
        return
    scores = instance_scores(prediction, reference)
    expected = matching(reference, prediction, thresh=tuple(THRESHOLDS.values()))
    for name, match in zip(THRESHOLDS, expected, strict=True):
        assert scores[name] == pytest.approx(float(match.accuracy), abs=1e-12)
    assert scores["pq"] == pytest.approx(float(expected[0].panoptic_quality), abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=60)
def test_equals_stardist_where_instances_are_halved(seed: int, reverse: bool) -> None:
    matching = pytest.importorskip("stardist.matching").matching
    rng = np.random.default_rng(seed)
    one = np.arange(1, 13).reshape(3, 4).repeat(4, 0).repeat(4, 1)
    other = np.where(
        one % 3 == 0, 0, np.where(np.arange(16) % 4 < 2, one, one + rng.integers(0, 3, one.max() + 1)[one])
    )
    reference, prediction = (other, one) if reverse else (one, other)
    scores = instance_scores(prediction, reference)
    expected = matching(reference, prediction, thresh=tuple(THRESHOLDS.values()))
    assert [scores[name] for name in THRESHOLDS] == pytest.approx([match.accuracy for match in expected])
    assert scores["pq"] == pytest.approx(float(expected[0].panoptic_quality))


def test_equals_stardist_on_nuclei() -> None:
    matching = pytest.importorskip("stardist.matching").matching
    from stardist.data import test_image_nuclei_2d

    reference = test_image_nuclei_2d(return_mask=True)[1].astype(np.int32)
    prediction = np.roll(reference, 1, axis=1)
    scores = instance_scores(prediction, reference)
    expected = matching(reference, prediction, thresh=tuple(THRESHOLDS.values()))
    assert [scores[name] for name in THRESHOLDS] == [match.accuracy for match in expected]
    assert scores["pq"] == float(expected[0].panoptic_quality)
    assert 0 < scores["ap90"] < scores["ap50"]


def test_neither_torch_nor_stardist_is_imported() -> None:
    code = (
        "import sys, numpy as np; from finetune.metrics.registry import compute_metrics\n"
        "assert 'skimage' not in sys.modules and 'scipy' not in sys.modules\n"
        "compute_metrics(np.eye(3, dtype=int), np.eye(3, dtype=int))\n"
        "print(sorted({'tensorflow', 'torch', 'numba', 'stardist'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
