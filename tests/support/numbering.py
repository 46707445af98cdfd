"""Label images whose instances are numbered in the same way, so that they can be compared."""

from __future__ import annotations

import numpy as np


def by_first_pixel(labels: np.ndarray) -> np.ndarray:
    """The label image with instances numbered from 1 by their first pixel in reading order."""
    found, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    numbers = np.empty(len(found), int)
    numbers[np.argsort(np.where(found == 0, -1, first))] = np.arange(len(found)) + int(found[0] != 0)
    return numbers[inverse].reshape(labels.shape)
