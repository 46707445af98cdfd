from pathlib import Path

import numpy as np
import pytest
import tifffile

from cards.canvas import MISSED, OUTLINE, REFERENCE, SPURIOUS, rgb
from cards.errors import DataError
from finetune.pipeline.previews import distance_to_boundary, error_classes
from finetune.viewer import pictures
from finetune.viewer.colors import automatic_limits, draw_errors, draw_outline, shade
from finetune.viewer.pictures import Picture, in_memory, open_picture

RAMP = np.arange(64 * 96, dtype=np.uint16).reshape(64, 96)


def write_pyramid(folder: Path, full: np.ndarray, levels: int) -> Path:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    for level in range(levels):
        pixels = full[:: 2**level, :: 2**level]
        array = group.create_array(str(level), shape=pixels.shape, chunks=(16, 16), dtype=pixels.dtype)
        array[:] = pixels
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}],
            "datasets": [{"path": str(level)} for level in range(levels)],
        }
    ]
    return folder


def test_a_part_that_fits_the_screen_holds_every_pixel():
    part = in_memory(RAMP).part((10.4, 19.2), (5, 8), 100)
    assert (part.x, part.y, part.width, part.height) == (10, 5, 10, 3)
    assert np.array_equal(part.pixels[0], RAMP[5:8, 10:20])


def test_a_part_larger_than_the_screen_is_reduced_and_keeps_its_place():
    part = in_memory(RAMP).part((0, 96), (0, 64), 24)
    assert part.pixels.shape == (1, 16, 24)
    assert (part.x, part.y, part.width, part.height) == (0, 0, 96, 64)
    assert part.pixels[0, 3, 5] == RAMP[12, 20]


def test_a_part_outside_of_the_image_is_empty():
    assert in_memory(RAMP).part((200, 300), (0, 64), 24).width == 0


def test_the_smallest_sufficient_level_of_a_pyramid_is_read(tmp_path: Path):
    picture = open_picture(write_pyramid(tmp_path / "a.zarr", RAMP, 3))
    assert [level.factor for level in picture.levels] == [1, 2, 4]
    used = []
    watched = [
        type(level)(
            level.factor,
            lambda rows, columns, level=level: used.append(level.factor) or level.read(rows, columns),
        )
        for level in picture.levels
    ]
    picture = Picture(picture.height, picture.width, watched)
    whole = picture.part((0, 96), (0, 64), 24)
    assert np.array_equal(whole.pixels[0], RAMP[::4, ::4])
    detail = picture.part((32, 48), (0, 16), 24)
    assert np.array_equal(detail.pixels[0], RAMP[:16, 32:48])
    assert used == [4, 1]


@pytest.mark.parametrize("level", ["../secret/0", "7"])
def test_an_ome_zarr_that_names_a_level_outside_of_its_folder_or_none_is_refused(tmp_path: Path, level: str):
    write_pyramid(tmp_path / "secret", RAMP, 1)
    shown = write_pyramid(tmp_path / "shown", RAMP, 1)
    attributes = shown / ".zattrs"
    attributes.write_text(attributes.read_text().replace('"path": "0"', f'"path": "{level}"'))
    assert level in attributes.read_text()
    with pytest.raises(DataError, match="shown.*: "):
        open_picture(shown)


def test_a_large_tiff_is_read_part_by_part_with_the_pixels_of_the_file(tmp_path: Path, monkeypatch):
    pytest.importorskip("zarr")
    monkeypatch.setattr(pictures, "LARGE", 1000)
    tifffile.imwrite(tmp_path / "a.tif", RAMP, tile=(16, 16), compression="zlib")
    tifffile.imwrite(tmp_path / "rgb.tif", np.stack([RAMP] * 3, axis=-1).astype(np.uint8), photometric="rgb")
    monkeypatch.setattr(tifffile.TiffPage, "asarray", None)  # would decode the whole image
    part = open_picture(tmp_path / "a.tif").part((7, 30), (3, 20), 100)
    assert np.array_equal(part.pixels[0], RAMP[3:20, 7:30])
    assert open_picture(tmp_path / "rgb.tif").part((0, 96), (0, 64), 100).pixels.shape == (3, 64, 96)


def test_a_file_that_changed_is_read_again(tmp_path: Path):
    import os

    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RAMP)
    first = open_picture(path).part((0, 4), (0, 4), 10).pixels
    tifffile.imwrite(path, RAMP + 1)
    os.utime(path, ns=(1, 1))
    assert np.array_equal(open_picture(path).part((0, 4), (0, 4), 10).pixels, first + 1)


def rgba(image: np.ndarray) -> np.ndarray:
    return image.view(np.uint8).reshape(*image.shape, 4)


def test_errors_have_the_colors_of_the_report_and_agreement_is_transparent():
    reference, prediction = np.zeros((2, 20, 40), int)
    reference[4:16, 4:16], prediction[4:16, 5:16], prediction[8:12, 30:34] = 1, 7, 8
    classes = error_classes(prediction, reference, distance_to_boundary(reference))
    marked = rgba(draw_errors(classes))
    opaque = marked[..., 3] > 0
    assert np.array_equal(opaque, (prediction > 0) != (reference > 0))
    assert tuple(marked[10, 4, :3] / 255) == rgb(OUTLINE)
    assert tuple(marked[10, 31, :3] / 255) == rgb(SPURIOUS)
    big = np.zeros((20, 40), int)
    big[2:18, 2:38] = 1
    missed = rgba(draw_errors(error_classes(np.zeros_like(big), big, distance_to_boundary(big))))
    assert tuple(missed[10, 20, :3] / 255) == rgb(MISSED)


def test_an_outline_is_transparent_inside():
    labels = np.zeros((9, 9), int)
    labels[2:7, 2:7] = 1
    alpha = rgba(draw_outline(labels, REFERENCE))[..., 3]
    assert alpha[2, 2] == 255 and alpha[4, 4] == 0 and alpha[0, 0] == 0


@pytest.mark.parametrize("value", [0, 5, 65535])
def test_a_constant_image_has_a_contrast(value: int):
    pixels = np.full((1, 8, 8), value, np.uint16)
    assert rgba(shade(pixels, automatic_limits(in_memory(pixels))))[..., 3].min() == 255


def test_a_level_reduced_along_z_is_not_taken_for_the_plane(tmp_path: Path):
    zarr = pytest.importorskip("zarr")
    full = np.broadcast_to(np.arange(8, dtype=np.uint16)[:, None, None], (8, 64, 64))
    group = zarr.open_group(tmp_path / "z.ome.zarr", mode="w", zarr_format=2)
    for level in range(3):
        pixels = full[:: 2**level, :: 2**level, :: 2**level]
        group.create_array(str(level), shape=pixels.shape, dtype=pixels.dtype)[:] = pixels
    axes = [{"name": name, "type": "space"} for name in "zyx"]
    datasets = [{"path": str(level)} for level in range(3)]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    for plane in range(8):
        picture = open_picture(tmp_path / "z.ome.zarr", plane)
        for size in (8, 64):
            assert np.unique(picture.part((0, 64), (0, 64), size).pixels) == [plane]


def test_positions_and_transparency_of_a_large_tiff_are_read_as_elsewhere(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(pictures, "LARGE", 1)
    with tifffile.TiffWriter(tmp_path / "two.ome.tif") as file:
        for value in (10, 200):
            file.write(np.full((64, 64), value, np.uint8), metadata={"axes": "YX"})
    assert np.unique(open_picture(tmp_path / "two.ome.tif", 1).part((0, 64), (0, 64), 64).pixels) == [200]
    rgba = np.full((64, 64, 4), 255, np.uint8)
    tifffile.imwrite(tmp_path / "rgba.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    assert open_picture(tmp_path / "rgba.tif", 0).part((0, 64), (0, 64), 64).pixels.shape[0] == 3
