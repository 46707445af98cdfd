"""Previews of test images: errors, distances, and the file that a run writes."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import tifffile

from finetune.data.reader import Sample
from finetune.pipeline.previews import (
    BINS,
    LIMIT,
    MISSED,
    OUTLINE,
    SPURIOUS,
    PreviewCollector,
    distance_counts,
    distance_to_boundary,
    error_classes,
)

REFERENCE = np.zeros((40, 40), np.int32)
REFERENCE[10:30, 10:30] = 1
DISTANCE = distance_to_boundary(REFERENCE)
NOWHERE = defaultdict(lambda: Path("missing.tif"))


def sample(name: str) -> Sample:
    return Sample(name=name, pixels=REFERENCE[None].astype(np.float32), labels=REFERENCE)


def test_errors_are_missed_spurious_or_of_the_outline() -> None:
    prediction = np.zeros_like(REFERENCE)
    prediction[12:30, 10:30] = 1  # two rows short
    prediction[18:22, 18:22] = 0  # a hole
    prediction[0:3, 0:3] = 2  # an object that is none
    errors = error_classes(prediction, REFERENCE, DISTANCE)
    assert (errors[18:22, 18:22] == MISSED).all()
    assert (errors[0:3, 0:3] == SPURIOUS).all()
    assert (errors[10:12, 10:30] == OUTLINE).all()
    assert (errors > 0).sum() == 16 + 9 + 40


def test_equal_labels_have_no_error_and_no_distance() -> None:
    assert not error_classes(REFERENCE, REFERENCE, DISTANCE).any()
    counts = distance_counts(REFERENCE, DISTANCE)
    assert counts[0] == 4 * 20 - 4
    assert sum(counts) == counts[0]


def test_a_shift_by_three_pixels_is_counted() -> None:
    counts = distance_counts(np.roll(REFERENCE, 3, axis=1), DISTANCE)
    assert counts[3] >= 18  # both vertical sides, less the corners
    assert not any(counts[4:])


def test_without_a_reference_all_pixels_are_far_away() -> None:
    nothing = distance_to_boundary(np.zeros_like(REFERENCE))
    assert distance_counts(REFERENCE, nothing) == [0] * len(BINS) + [76]


def test_both_stages_of_an_image_share_its_preview() -> None:
    collector = PreviewCollector("instances", NOWHERE)
    collector.add("before", sample("a"), np.zeros_like(REFERENCE))
    collector.add("after", sample("a"), REFERENCE)
    (preview,) = collector.result().images
    assert preview.before is not None and preview.after is not None
    assert sum(preview.before.distances) == 0
    assert sum(preview.after.distances) == 76


@pytest.mark.parametrize(("side", "known"), [((0.65, 0.65), 0.65), ((0.65, 1.3), None)])
def test_a_preview_has_the_pixel_size_of_its_file_if_pixels_are_square(
    side: tuple[float, float], known: float | None, tmp_path: Path
) -> None:
    metadata = {"axes": "YX", "PhysicalSizeX": side[0], "PhysicalSizeY": side[1]}
    tifffile.imwrite(tmp_path / "a.ome.tif", REFERENCE.astype(np.uint8), metadata=metadata)
    collector = PreviewCollector("instances", {"a": tmp_path / "a.ome.tif"})
    collector.add("after", sample("a"), REFERENCE)
    (preview,) = collector.result().images
    assert preview.pixel_size_um == (known and pytest.approx(known))


def test_a_large_test_set_has_a_limited_number_of_previews() -> None:
    collector = PreviewCollector("instances", NOWHERE)
    for index in range(LIMIT + 5):
        collector.add("after", sample(f"image_{index}"), REFERENCE)
    assert len(collector.result().images) == LIMIT
