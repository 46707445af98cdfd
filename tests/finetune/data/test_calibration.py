"""Pixel sizes and planes, read from the headers of all formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from microscope_files import write_lif, write_nd2, write_ome_zarr

from finetune.data.calibration import Calibration, read_calibration

STACK = np.zeros((3, 20, 30), np.uint16)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {
                "ome": True,
                "metadata": {
                    "axes": "TYX",
                    "PhysicalSizeX": 0.2,
                    "PhysicalSizeY": 250,
                    "PhysicalSizeYUnit": "nm",
                },
            },
            Calibration(0.25, 0.2, None, "T", (3,)),
        ),
        (
            {"imagej": True, "resolution": (5, 5), "metadata": {"axes": "ZYX", "unit": "um", "spacing": 0.7}},
            Calibration(0.2, 0.2, 0.7, "Z", (3,)),
        ),
        (
            {"imagej": True, "resolution": (5, 5), "metadata": {"axes": "TYX", "unit": "pixel"}},
            Calibration(None, None, None, "T", (3,)),
        ),
    ],
)
def test_ome_and_imagej_state_pixel_size_and_planes(
    tmp_path: Path, options: dict, expected: Calibration
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK, **options)
    found = read_calibration(tmp_path / "a.tif")
    assert (found.axes, found.planes) == (expected.axes, expected.planes)
    assert list(found[:3]) == [size and pytest.approx(size, rel=1e-6) for size in expected[:3]]


@pytest.mark.parametrize(
    ("resolution", "unit", "size"), [(50_000, "CENTIMETER", 0.2), (72, "INCH", None), (1, "NONE", None)]
)
def test_only_a_resolution_per_centimeter_is_a_pixel_size(
    tmp_path: Path, resolution: int, unit: str, size: float | None
) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", STACK[0], resolution=(resolution, resolution), resolutionunit=unit, metadata=None
    )
    assert read_calibration(tmp_path / "a.tif").size == (size and pytest.approx(size))


def test_a_pixel_that_is_not_square_has_no_single_size() -> None:
    assert Calibration(y=0.2, x=0.2).size == 0.2
    assert Calibration(y=0.2, x=0.3).size is None


def test_ome_zarr_states_size_and_unit(tmp_path: Path) -> None:
    import zarr

    write_ome_zarr(tmp_path / "a.zarr", STACK + 1, "zyx")
    assert read_calibration(tmp_path / "a.zarr") == Calibration(axes="Z", planes=(3,))  # no units
    group = zarr.open_group(tmp_path / "a.zarr", mode="a")
    metadata = dict(group.attrs["ome"])
    (multiscale,) = metadata["multiscales"]
    units = ("micrometer", "nanometer", "millimeter")
    for axis, unit in zip(multiscale["axes"], units, strict=True):
        axis["unit"] = unit
    multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] = [2.0, 300.0, 0.0003]
    group.attrs["ome"] = metadata
    found = read_calibration(tmp_path / "a.zarr")
    assert found[:3] == pytest.approx((0.3, 0.3, 2.0))


def test_a_czi_file_states_meters(tmp_path: Path) -> None:
    from pylibCZIrw import czi

    with czi.create_czi(str(tmp_path / "a.czi")) as document:
        document.write(STACK[0][..., None], plane={"C": 0, "Z": 0, "T": 0})
        document.write_metadata("a", scale_x=0.2e-6, scale_y=0.25e-6)
    assert read_calibration(tmp_path / "a.czi")[:2] == pytest.approx((0.25, 0.2))


def test_files_without_a_calibration_state_none(tmp_path: Path) -> None:
    write_lif(tmp_path / "a.lif", {"a": STACK}, "ZYX")  # a length of 1 m for 30 pixels
    write_nd2(tmp_path / "a.nd2", np.zeros((2, 1, 8, 9), np.uint16))
    assert read_calibration(tmp_path / "a.lif") == Calibration(axes="Z", planes=(3,))
    assert read_calibration(tmp_path / "a.nd2") == Calibration(axes="Z", planes=(2,))
