"""Summaries over images, and the paired change."""

from __future__ import annotations

import numpy as np
import pytest

from cards.scores import ImageScore
from finetune.metrics.summary import paired_change, summarize


def score(image: str, dice: float, **others: float) -> ImageScore:
    metrics = {"dice": dice, "ap50": 0.5, "ap75": 0.4, "ap90": 0.1, "pq": 0.6} | others
    return ImageScore(image=image, metrics=metrics, seconds=1)


def scores(values: dict[str, float]) -> list[ImageScore]:
    return [score(image, dice) for image, dice in values.items()]


def test_by_hand() -> None:
    stage = summarize([score("a", 0.9, ap50=1), score("b", 0.6, ap50=0), score("c", 0.9, ap50=0.2)])
    assert stage.summary.keys() == {"dice", "ap50", "ap75", "ap90", "pq"}
    assert stage.summary["dice"].mean == pytest.approx(0.8)
    assert stage.summary["dice"].std == pytest.approx((2 * 0.1**2 / 3 + 0.2**2 / 3) ** 0.5)
    assert stage.summary["dice"].median == 0.9
    assert stage.summary["ap50"].mean == pytest.approx(0.4)
    assert stage.summary["ap50"].median == 0.2
    assert [s.image for s in stage.scores] == ["a", "b", "c"]


def test_the_worst_five_worst_first() -> None:
    values = {"a": 0.9, "b": 0.1, "c": 0.5, "d": 0.5, "e": 0.99, "f": 0.2, "g": 0.7}
    assert summarize(scores(values)).worst == ["b", "f", "c", "d", "g"]
    assert summarize(scores({"x": 0.3, "y": 0.2})).worst == ["y", "x"]


def test_no_images_is_an_error() -> None:
    with pytest.raises(ValueError, match="no images"):
        summarize([])


def test_change_is_paired_by_name() -> None:
    rng = np.random.default_rng(0)
    before = {f"image{i}": float(value) for i, value in enumerate(rng.uniform(0, 0.8, 30))}
    after = {image: value + float(rng.normal(0.1, 0.01)) for image, value in reversed(before.items())}
    change = paired_change(scores(before), scores(after))
    assert change is not None
    differences = np.array([after[image] - before[image] for image in before])
    assert change.mean == pytest.approx(differences.mean())
    # By the normal approximation; unpaired, the interval would be twenty times as wide.
    half = 1.96 * differences.std() / len(differences) ** 0.5
    assert change.low == pytest.approx(differences.mean() - half, abs=half / 5)
    assert change.high == pytest.approx(differences.mean() + half, abs=half / 5)
    assert (change.confidence, change.resamples) == (0.95, 9999)


def test_change_is_the_same_each_time_and_in_any_order() -> None:
    before, after = scores({"a": 0.1, "b": 0.5, "c": 0.3}), scores({"a": 0.2, "b": 0.9, "c": 0.2})
    first = paired_change(before, after, seed=3, resamples=200)
    assert first == paired_change(before[::-1], after[1:] + after[:1], seed=3, resamples=200)
    assert first is not None
    assert first.resamples == 200


def test_where_all_images_change_alike_the_interval_is_the_change() -> None:
    change = paired_change(scores({"a": 0.25, "b": 0.5}), scores({"a": 0.5, "b": 0.75}))
    assert change is not None
    assert (change.low, change.mean, change.high) == (0.25, 0.25, 0.25)


def test_one_image_has_no_interval() -> None:
    assert paired_change(scores({"a": 0.1}), scores({"a": 0.2})) is None


def test_other_images_are_an_error() -> None:
    with pytest.raises(ValueError, match="not of the same images: b, c"):
        paired_change(scores({"a": 0.1, "b": 0.2}), scores({"a": 0.1, "c": 0.2}))
    with pytest.raises(ValueError, match="scored twice"):
        paired_change(scores({"a": 0.1}) * 2, scores({"a": 0.1}) * 2)
