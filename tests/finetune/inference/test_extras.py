"""Optional outputs: what is written can be read again, and describes the same instances."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from bright_model import Bright
from PIL import Image

from cards.errors import DataError, ModelError
from finetune.data.annotations.geojson import read_geojson
from finetune.data.annotations.rois import read_rois
from finetune.data.annotations.tracing import trace
from finetune.data.calibration import Calibration
from finetune.inference.extras.measurements import MeasurementTable
from finetune.inference.extras.registry import EXTRAS, KINDS, Segmented, parse_kinds, writer
from finetune.inference.folder import check_headers, predict_outputs
from finetune.inference.markers import is_ours
from finetune.inference.outputs import plan_outputs

RING = np.zeros((12, 14), np.int32)
RING[1:8, 1:8] = 1
RING[3:6, 3:6] = 0
RING[4, 4] = 2  # in the hole
RING[8, 8] = 1  # touches at a corner only
RING[10:12, 9:14] = 3  # at the border


def segmented(*labels: np.ndarray, calibration: Calibration | None = None, channels: int = 1) -> Segmented:
    pixels = [np.stack([plane * 10 + channel for channel in range(channels)]) for plane in labels]
    pixels = [one.astype(np.uint8) for one in pixels]
    maps = [np.stack([plane > 0, plane == 1]).astype(np.float32) for plane in labels]
    names = ["foreground", "boundary"]
    calibration = calibration or Calibration()
    stack = bool(calibration.planes)
    return Segmented("a.tif", calibration, pixels, np.stack(labels), maps, names, stack)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("kind", "read"), [("geojson", read_geojson), ("rois", read_rois)])
@pytest.mark.parametrize("labels", ["ring", "noise"])
def test_objects_that_are_read_again_give_the_same_labels(
    tmp_path: Path, kind: str, read, labels: str
) -> None:
    noise = np.random.default_rng(0).integers(0, 4, (30, 25)).astype(np.int32)
    expected = RING if labels == "ring" else noise
    path = tmp_path / f"a{EXTRAS[kind].ending}"
    writer(kind)(segmented(expected), path)
    assert np.array_equal(read(path, expected.shape), expected)
    assert is_ours(path)


def test_the_area_of_a_traced_instance_is_its_number_of_pixels() -> None:
    areas = {
        label: sum(
            abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2 * sign
            for polygon in polygons
            for sign, rings in ((1, [polygon.outline]), (-1, polygon.holes))
            for x, y in (ring.T for ring in rings)
        )
        for label, polygons in trace(RING)
    }
    assert areas == {label: (label == RING).sum() for label in (1, 2, 3)}


def test_a_geojson_file_that_was_edited_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    writer("geojson")(segmented(RING), path)
    content = json.loads(path.read_text())
    assert content["features"][0]["properties"] == {"objectType": "detection", "name": "1"}
    content["features"].pop()
    path.write_text(json.dumps(content))
    assert not is_ours(path)


def test_objects_of_a_stack_name_their_plane(tmp_path: Path) -> None:
    import roifile

    stack = segmented(RING, RING * 0, RING, calibration=Calibration(axes="T", planes=(3,)))
    writer("geojson")(stack, tmp_path / "a.geojson")
    writer("rois")(stack, tmp_path / "a_RoiSet.zip")
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert [feature["geometry"]["plane"]["t"] for feature in features] == [0, 0, 0, 2, 2, 2]
    regions = roifile.ImagejRoi.fromfile(tmp_path / "a_RoiSet.zip")
    assert [region.position for region in regions] == [1, 1, 1, 3, 3, 3]
    with zipfile.ZipFile(tmp_path / "a_RoiSet.zip") as archive:
        assert archive.namelist()[0] == "0001-00001.roi"


def test_probabilities_have_names_and_the_pixel_size(tmp_path: Path) -> None:
    result = segmented(RING, calibration=Calibration(0.5, 0.5))
    writer("probabilities")(result, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert (tif.series[0].axes, tif.series[0].dtype) == ("CYX", np.float32)
        assert np.array_equal(tif.asarray(), result.maps[0])
        assert 'Name="boundary"' in str(tif.ome_metadata) and 'PhysicalSizeX="0.5"' in str(tif.ome_metadata)


def test_overlays_and_outlines_mark_the_border_of_each_instance(tmp_path: Path) -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[5:15, 5:15] = 1
    for kind in ("overlays", "outlines"):
        writer(kind)(segmented(labels), tmp_path / f"{kind}.png")
        assert is_ours(tmp_path / f"{kind}.png")
    overlay, outlines = (
        np.asarray(Image.open(tmp_path / f"{kind}.png")) for kind in ("overlays", "outlines")
    )
    assert overlay.shape == (20, 20, 3) and outlines.shape == (20, 20, 4)
    drawn = outlines[..., 3] > 0
    assert drawn[5, 5:15].all() and not drawn[6:14, 6:14].any() and not drawn[:5].any()
    assert (overlay[drawn] == overlay[5, 5]).all() and len(set(overlay[5, 5].tolist())) > 1
    assert (overlay[10, 10] == 255).all() and (overlay[0, 0] == 0).all()


def test_the_table_gives_pixels_and_micrometers_with_the_unit_in_the_name(tmp_path: Path) -> None:
    table = MeasurementTable()
    labels = np.zeros((20, 20), np.int32)
    labels[2:12, 4:8] = 1
    table.add(segmented(labels, calibration=Calibration(0.5, 0.5), channels=2))
    table.add(segmented(labels))
    table.write(tmp_path / "measurements.csv")
    first, second = rows(tmp_path / "measurements.csv")
    assert (first["image"], first["label"], first["area_px"], first["area_um2"]) == ("a.tif", "1", "40", "10")
    assert (first["centroid_y_px"], first["centroid_x_um"]) == ("6.5", "2.75")
    diameter = 2 * (40 / np.pi) ** 0.5
    assert float(first["equivalent_diameter_um"]) == pytest.approx(diameter / 2, rel=1e-5)
    assert (first["mean_intensity_0"], first["max_intensity_1"]) == ("10", "11")
    assert second["area_px"] == "40" and second["area_um2"] == second["mean_intensity_1"] == ""


def test_pixels_that_are_not_square_have_areas_but_no_lengths_in_micrometers(tmp_path: Path) -> None:
    table = MeasurementTable()
    table.add(segmented(RING, calibration=Calibration(1.0, 0.5)))
    table.write(tmp_path / "a.csv")
    row = rows(tmp_path / "a.csv")[2]
    assert row["area_um2"] == "5" and "perimeter_um" not in row


def test_an_empty_label_image_gives_every_output(tmp_path: Path) -> None:
    result = segmented(RING * 0)
    for kind, extra in EXTRAS.items():
        writer(kind)(result, tmp_path / f"{kind}{extra.ending}")
    table = MeasurementTable()
    table.add(result)
    table.write(tmp_path / "a.csv")
    assert rows(tmp_path / "a.csv") == []
    assert json.loads((tmp_path / "geojson.geojson").read_text())["features"] == []


def test_pictures_of_planes_are_stacks_even_of_one_plane(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "a.tif", RING.astype(np.uint8))
    stack = np.stack([RING, RING]).astype(np.uint8)
    tifffile.imwrite(tmp_path / "images" / "b.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    outputs = plan_outputs(
        tmp_path / "images", tmp_path / "labels", save=["overlays", "outlines"], planes=True
    )
    results = list(predict_outputs(Bright(), outputs, *check_headers(outputs)))
    shapes = [tifffile.imread(result.files["overlays"]).shape for result in results]
    assert shapes == [(1, 12, 14, 3), (2, 12, 14, 3)]
    assert all(is_ours(path) for result in results for path in result.files.values())


def test_an_image_that_is_too_large_for_regions_is_found_before_the_first_prediction(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((1, 40_000), np.uint8))
    outputs = plan_outputs(tmp_path / "a.tif", tmp_path / "labels", save=["rois"])
    with pytest.raises(
        DataError, match=r"a\.tif: --save rois reaches to 32,767 pixels, .* save geojson instead"
    ):
        check_headers(outputs)


def test_names_of_outputs_are_checked() -> None:
    assert parse_kinds("rois, overlays,rois") == ("rois", "overlays")
    with pytest.raises(DataError, match=f"no output masks; choose from {', '.join(KINDS)}"):
        parse_kinds("masks")


def test_a_model_without_maps_saves_no_probabilities(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", RING.astype(np.uint8))
    outputs = plan_outputs(tmp_path / "a.tif", tmp_path / "labels", save=["probabilities"])
    with pytest.raises(ModelError, match="the model predicts no maps"):
        list(predict_outputs(Bright(), outputs, *check_headers(outputs)))
    assert not (tmp_path / "labels").exists()


def test_the_folder_of_label_images_holds_no_other_images(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", RING.astype(np.uint8))
    outputs = plan_outputs(tmp_path / "a.ome.tif", tmp_path / "labels", save=["overlays", "geojson", "rois"])
    (result,) = predict_outputs(Bright(), outputs, *check_headers(outputs))
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == [
        "a.ome.tif",
        "geojson",
        "overlays",
        "rois",
    ]
    names = {path.relative_to(tmp_path / "labels").as_posix() for path in result.files.values()}
    assert names == {"geojson/a.geojson", "overlays/a.png", "rois/a_RoiSet.zip"}


def test_a_picture_of_another_program_is_found_before_the_first_prediction(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", RING.astype(np.uint8))
    picture = tmp_path / "labels" / "overlays" / "a.png"
    picture.parent.mkdir(parents=True)
    Image.new("RGB", (3, 3)).save(picture)
    before = picture.read_bytes()
    with pytest.raises(DataError, match=r"a\.png: exists and is no file that finetune wrote"):
        plan_outputs(tmp_path / "a.tif", tmp_path / "labels", save=["overlays"], overwrite=True)
    assert picture.read_bytes() == before
