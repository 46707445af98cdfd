"""Mean Dice over images, as validation computes it."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
import torch.multiprocessing as multiprocessing
from hypothesis import given
from hypothesis import strategies as st

from finetune.metrics.dice import dice
from finetune.metrics.mean_dice import MeanDice


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 1, 2\) and reference \(1, 2, 1\) differ in shape"):
        MeanDice().update(torch.zeros(1, 1, 2), torch.zeros(1, 2, 1))


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_metric_is_the_mean_of_the_function(seed: int, images: int) -> None:
    rng = np.random.default_rng(seed)
    prediction, reference = rng.integers(0, 3, (2, images, 3, 4)) * rng.integers(0, 2, (2, images, 1, 1))
    metric = MeanDice()
    metric.update(torch.from_numpy(prediction[:1]), torch.from_numpy(reference[:1]))
    if images > 1:
        metric.update(torch.from_numpy(prediction[1:]), torch.from_numpy(reference[1:]))
    expected = np.mean([dice(p, r) for p, r in zip(prediction, reference, strict=True)])
    assert metric.compute().item() == pytest.approx(expected, abs=1e-6)


def test_reset_forgets() -> None:
    metric = MeanDice()
    metric.update(torch.ones(1, 2, 2), torch.zeros(1, 2, 2))
    metric.reset()
    metric.update(torch.ones(1, 2, 2), torch.ones(1, 2, 2))
    assert metric.compute() == 1


def _measure(rank: int, results: str, meeting: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    metric = MeanDice()
    shares = [torch.tensor([[[1, 1]], [[1, 0]], [[0, 0]]]), torch.tensor([[[0, 1]]])]  # three images and one
    metric.update(shares[rank], torch.ones_like(shares[rank]))
    torch.save(metric.compute(), f"{results}{rank}")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_with_unequal_shares_give_the_mean_over_all_images(tmp_path: os.PathLike[str]) -> None:
    # Weighted by images: the mean of the two means, (5/9 + 2/3) / 2, would be another figure.
    results = os.fspath(tmp_path) + "/result"
    multiprocessing.spawn(_measure, (results, os.fspath(tmp_path) + "/meeting"), nprocs=2)
    for rank in range(2):
        assert torch.load(f"{results}{rank}").item() == pytest.approx((1 + 2 / 3 + 0 + 2 / 3) / 4)
