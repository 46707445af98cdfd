"""AP and PQ of many instances: finetune against stardist.matching, on the same label images, in one run.

    python benchmarks/matching.py [--size 2048] [--instances 2192] [--repeats 7]

Prints the median time of both and their ratio. The values must be equal to 1e-12.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from stardist.matching import matching

from finetune.metrics.instances import average_precision, match_instances, panoptic_quality

THRESHOLDS = (0.5, 0.75, 0.9)


def main() -> int:
    parser = argparse.ArgumentParser(description="Time AP and PQ against stardist.matching.")
    parser.add_argument(
        "--size", type=int, default=2048, help="height and width of the label images in pixels"
    )
    parser.add_argument("--instances", type=int, default=2192, help="number of instances")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    reference = discs(options.size, options.instances)
    prediction = np.roll(reference, 2, axis=1)

    def ours() -> list[float]:
        matches = match_instances(prediction, reference)
        scores = [average_precision(matches, threshold) for threshold in THRESHOLDS]
        return [*scores, panoptic_quality(matches)]

    def peer() -> list[float]:
        results = matching(reference, prediction, thresh=THRESHOLDS)
        return [*(float(result.accuracy) for result in results), float(results[0].panoptic_quality)]

    if not np.allclose(ours(), peer(), rtol=0, atol=1e-12):
        print(f"values differ: {ours()} and {peer()}", file=sys.stderr)
        return 1
    times = [(seconds(ours), seconds(peer)) for _ in range(options.repeats)]  # in turns
    mine, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{reference.max()} instances in {options.size} × {options.size} pixels, values equal to 1e-12")
    print(f"finetune {mine:.3f} s, stardist.matching {theirs:.3f} s: {theirs / mine:.1f} ×")
    return 0


def discs(size: int, count: int) -> np.ndarray:
    """Discs on a grid, (size, size) int32."""
    side = int(np.ceil(np.sqrt(count)))
    pitch = size // side
    y, x = np.divmod(np.arange(size * size).reshape(size, size), size)
    row, column = y // pitch, x // pitch
    inside = (y % pitch - pitch / 2) ** 2 + (x % pitch - pitch / 2) ** 2 < (0.42 * pitch) ** 2
    number = row * side + column + 1
    inside &= (row < side) & (column < side) & (number <= count)
    return np.where(inside, number, 0).astype(np.int32)


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
