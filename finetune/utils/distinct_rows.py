"""Distinct rows of an array.

`numpy.unique` with `axis=0` compares rows as records: that takes four times as long, and Ctrl-C in the middle
of it becomes a TypeError (numpy 2.4).
"""

from __future__ import annotations

import numpy as np


def distinct_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the distinct rows of an array.

    Args:
        rows: (n, k) integer.

    Returns:
        The m distinct rows in lexicographic order (m, k), the index of each row among them (n,), and how
        often each of them occurs (m,).
    """
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    is_first = np.ones(len(rows), bool)
    is_first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    number = np.cumsum(is_first) - 1
    inverse = np.empty(len(rows), np.intp)
    inverse[order] = number
    return ordered[is_first], inverse, np.bincount(number)
