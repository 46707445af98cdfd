"""Large images that are kept in memory are named before the first prediction."""

from __future__ import annotations

from pathlib import Path

import pytest
from foreign import make_package
from spots_model import spots_model, write_spots

import finetune
from finetune.data.headers import Header, read_header
from finetune.inference.memory_notes import least_bytes, memory_notes
from finetune.inference.outputs import plan_outputs

LARGE = Header(channels=1, height=20_000, width=20_000, dtype="uint16")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"save": ["overlays", "probabilities"]}, "because of --save probabilities; without it"),
        ({"planes": True}, "because of --planes; without it"),
    ],
)
def test_an_option_that_keeps_the_image_in_memory_is_named(
    options: dict[str, object], reason: str, tmp_path: Path
) -> None:
    image = write_spots(tmp_path / "spots.tif", 70, 70)
    outputs = plan_outputs(image, tmp_path / "labels", **options)  # type: ignore[arg-type]
    (note,) = memory_notes(spots_model(), outputs, {image: LARGE})
    assert note.startswith(
        f"{image}: 20,000 × 20,000 pixels are kept in memory, which takes at least 6.7 GiB"
    )
    assert reason in note
    assert least_bytes(spots_model(), LARGE) == 20_000**2 * (2 + 4 + 4 * 2 + 4)


def test_a_model_that_takes_an_image_in_one_piece_is_the_reason(tmp_path: Path) -> None:
    image = write_spots(tmp_path / "spots.tif", 70, 70)
    clip = {"id": "clip", "kwargs": {"min": 0.1, "max": 0.9}}
    model = finetune.load(make_package(tmp_path, postprocessing=({"id": "sigmoid"}, clip)))
    (note,) = memory_notes(model, plan_outputs(image, tmp_path / "labels"), {image: LARGE})
    assert "the model takes an image in one piece" in note


def test_images_that_are_segmented_part_by_part_or_small_need_no_note(tmp_path: Path) -> None:
    image = write_spots(tmp_path / "spots.tif", 70, 70)
    plain = plan_outputs(image, tmp_path / "labels")
    more = plan_outputs(image, tmp_path / "labels", save=["probabilities"])
    parts = plan_outputs(image, tmp_path / "labels", save=["overlays", "geojson", "rois", "measurements"])
    assert memory_notes(spots_model(), plain, {image: LARGE}) == []
    assert memory_notes(spots_model(), parts, {image: LARGE}) == []
    assert memory_notes(spots_model(), more, {image: read_header(image)}) == []
