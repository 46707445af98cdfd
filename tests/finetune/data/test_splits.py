"""Fractions of the training images."""

from pathlib import Path

from finetune.data.pairs import Pair
from finetune.data.splits import keep_fraction


def test_smaller_fractions_are_parts_of_larger_ones_and_other_splits_stay() -> None:
    pairs = [
        Pair(Path(f"{i}.tif"), Path(f"m{i}.tif"), f"image_{i:02}", "test" if i < 4 else "train")
        for i in range(20)
    ]
    kept = {fraction: set(keep_fraction(pairs, fraction)) for fraction in (0.01, 0.25, 0.5, 1.0)}
    assert [len(indices) - 4 for indices in kept.values()] == [1, 4, 8, 16]
    assert kept[0.01] < kept[0.25] < kept[0.5] < kept[1.0]
    assert all({0, 1, 2, 3} <= indices for indices in kept.values())
    assert kept[0.25] != set(keep_fraction(pairs, 0.25, seed=1))
