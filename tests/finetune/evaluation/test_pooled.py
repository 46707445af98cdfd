"""Instances of all images together, as StarDist counts them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import finetune
from finetune.evaluation.pooled import PooledCounts


def labels(seed: int, size: int, share: float) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), 3)
    return ndimage.label(noise > np.quantile(noise, 1 - share))[0].astype(np.int32)


def test_the_counts_are_those_of_stardist() -> None:
    matching = pytest.importorskip("stardist.matching")
    sizes = {"small": 64, "large": 256}
    reference = {name: labels(seed, size, 0.2) for seed, (name, size) in enumerate(sizes.items())}
    predictions = {name: labels(seed, size, 0.3) for seed, (name, size) in enumerate(sizes.items())}
    result = finetune.evaluate(list(predictions.values()), list(reference.values()))
    expected = matching.matching_dataset(
        list(reference.values()), list(predictions.values()), thresh=0.5, show_progress=False
    )
    assert result.instances == PooledCounts(expected.tp, expected.fp, expected.fn)
    assert min(expected.tp, expected.fp, expected.fn) > 0
    rates = result.instances.rates()
    assert rates == pytest.approx(
        {
            "ap50": expected.accuracy,
            "precision": expected.precision,
            "recall": expected.recall,
            "f1": expected.f1,
        }
    )
    assert rates["ap50"] != pytest.approx(result.summary["ap50"].mean, abs=1e-3)


def test_images_without_instances_are_perfect() -> None:
    nothing = [np.zeros((8, 8), np.int32)]
    result = finetune.evaluate(nothing, nothing)
    assert result.instances == PooledCounts(0, 0, 0)
    assert set(result.instances.rates().values()) == {1.0}
