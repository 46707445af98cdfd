"""Distinct rows are those of numpy."""

from __future__ import annotations

import numpy as np
import pytest

from finetune.utils.distinct_rows import distinct_rows


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_equals_numpy(count: int) -> None:
    rows = np.random.default_rng(0).integers(-3, 3, (count, 3))
    expected = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    for found, wanted in zip(distinct_rows(rows), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
