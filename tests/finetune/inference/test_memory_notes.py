"""Large images that are kept in memory are named before the first prediction."""

from __future__ import annotations

import os
from math import isqrt
from pathlib import Path

import numpy as np
import pytest
import tifffile
from foreign import make_package
from spots_model import spots_model, write_spots

import finetune
from cards.errors import DataError
from finetune.data.headers import Header, read_header
from finetune.data.memory_limit import memory_limit
from finetune.inference.folder import check_headers, predict_outputs
from finetune.inference.memory_notes import least_bytes, memory_notes, too_large
from finetune.inference.outputs import plan_outputs

LARGE = Header(channels=1, height=20_000, width=20_000, dtype="uint16")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"save": ["overlays", "probabilities"]},
            "because --save probabilities needs it in memory; without it",
        ),
        ({"planes": True}, "because --planes needs it in memory; without it"),
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


def write_beyond_memory(folder: Path) -> Path:
    """An uncompressed TIFF of more pixels than this machine has bytes of memory; it takes no disk space."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    side = isqrt(pages) + 1000
    tifffile.imwrite(folder / "huge.tif", np.zeros((8, 8), np.uint8), bigtiff=True)
    with tifffile.TiffFile(folder / "huge.tif", mode="r+b") as tif:
        tags, start = tif.pages.first.tags, tif.pages.first.dataoffsets[0]
        for name, value in {
            "ImageWidth": side,
            "ImageLength": side,
            "RowsPerStrip": side,
            "StripByteCounts": side**2,
        }.items():
            tags[name].overwrite(value)
        tags["ImageDescription"].overwrite("")
    os.truncate(folder / "huge.tif", start + side**2)
    return folder / "huge.tif"


def test_an_image_larger_than_the_memory_is_refused_only_if_it_has_to_be_kept_in_memory(
    tmp_path: Path,
) -> None:
    image = write_beyond_memory(tmp_path)
    streamed = plan_outputs(image, tmp_path / "labels")
    headers, errors = check_headers(streamed)
    assert errors == {} and memory_notes(spots_model(), streamed, headers) == []
    assert too_large(spots_model(), streamed, headers) == {}
    in_memory = plan_outputs(image, tmp_path / "labels", save=["probabilities"])
    assert memory_notes(spots_model(), in_memory, headers) == []
    with pytest.raises(
        DataError, match=r"huge\.tif: its header declares .* GiB of memory, because --save probabilities"
    ):
        list(predict_outputs(spots_model(), in_memory, headers, {}))
    assert not (tmp_path / "labels").exists()


def test_an_image_larger_than_the_memory_in_a_format_without_parts_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "huge.png"
    side = 2**20
    image.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + 2 * side.to_bytes(4, "big") + b"\x08\0\0\0\0")
    header = Header(1, side, side, "uint8")
    (error,) = too_large(spots_model(), plan_outputs(image, tmp_path / "labels"), {image: header}).values()
    assert "a file of this kind is read as a whole; if the file is not damaged, save it as OME-Zarr" in error


def test_an_image_whose_maps_exceed_the_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    image, pixels = write_beyond_memory(tmp_path), memory_limit()
    side = int((pixels / 4) ** 0.5)  # the pixels fit, the maps do not
    outputs = plan_outputs(image, tmp_path / "labels", save=["probabilities"])
    headers = {image: Header(1, side, side, "uint8")}
    (error,) = too_large(spots_model(), outputs, headers).values()
    assert "GiB of memory, because --save probabilities needs it in memory" in error
    assert memory_notes(spots_model(), outputs, headers) == []
