"""Files of label images: names, axes and pixel sizes of the images, in OME-TIFF and OME-Zarr."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
from bright_model import Bright
from scipy import ndimage

from cards.errors import DataError
from finetune.data.calibration import read_calibration
from finetune.data.images import read_image, read_labels
from finetune.evaluation.labels import evaluate
from finetune.inference.folder import FolderPrediction, check_headers, predict_outputs
from finetune.inference.markers import is_ours
from finetune.inference.outputs import plan_outputs

STACK = np.zeros((2, 300, 280), np.uint8)
STACK[0, 10:60, 10:60] = STACK[1, 100:120, 100:120] = STACK[1, 200:220, 10:90] = 200


def predict(images: Path, out: Path, **options: object) -> list[FolderPrediction]:
    outputs = plan_outputs(images, out, **options)
    return list(predict_outputs(Bright(), outputs, *check_headers(outputs)))


def write_stack(path: Path, axes: str = "TYX") -> Path:
    metadata = {"axes": axes, "unit": "um", "spacing": 1.5} if axes else None
    tifffile.imwrite(path, STACK, imagej=True, resolution=(4, 4), metadata=metadata)
    return path


def test_a_label_image_has_name_and_pixel_size_of_its_image(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK[0], imagej=True, resolution=(4, 4), metadata={"unit": "um"})
    (result,) = predict(path, tmp_path / "labels")
    assert result.labels is not None
    assert read_calibration(result.labels).size == pytest.approx(0.25)
    with tifffile.TiffFile(result.labels) as tif:
        assert 'Name="a.tif"' in str(tif.ome_metadata)
        assert tif.pages.first.tags["XResolution"].value[0] / 1e4 == pytest.approx(4)


def test_equal_labels_give_equal_files(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0])
    contents = {
        result.labels.read_bytes()
        for out in ("one", "two")
        for result in predict(tmp_path / "a.tif", tmp_path / out)
        if result.labels
    }
    assert len(contents) == 1


def test_a_stack_is_refused_with_the_option_that_segments_it(tmp_path: Path) -> None:
    write_stack(tmp_path / "a.tif")
    with pytest.raises(DataError, match="2 planes .*a time series.*: segment each plane with --planes$"):
        predict(tmp_path / "a.tif", tmp_path / "labels")


@pytest.mark.parametrize("axes", ["TYX", "ZYX"])
def test_planes_are_segmented_one_by_one_and_keep_their_axis(tmp_path: Path, axes: str) -> None:
    write_stack(tmp_path / "a.tif", axes)
    (result,) = predict(tmp_path / "a.tif", tmp_path / "labels", planes=True)
    assert result.labels is not None and result.instances == 3
    with tifffile.TiffFile(result.labels) as tif:
        assert tif.series[0].axes == axes
        labels = tif.asarray()
    assert [plane.max() for plane in labels] == [1, 2]
    assert np.array_equal(labels > 0, STACK > 0)
    assert read_calibration(result.labels).z == (1.5 if axes == "ZYX" else None)


def test_single_images_among_stacks_stay_single(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    write_stack(tmp_path / "images/a.tif")
    tifffile.imwrite(tmp_path / "images/b.tif", STACK[0])
    results = predict(tmp_path / "images", tmp_path / "labels", planes=True)
    assert [read_shape(result) for result in results] == [(2, 300, 280), (300, 280)]


def read_shape(result: FolderPrediction) -> tuple[int, ...]:
    return tifffile.imread(result.labels).shape


def test_ome_zarr_lists_the_labels_and_has_levels_and_sizes(tmp_path: Path) -> None:
    write_stack(tmp_path / "a.tif")
    (result,) = predict(tmp_path / "a.tif", tmp_path / "labels", planes=True, label_format="ome-zarr")
    path = tmp_path / "labels" / "a.ome.zarr"
    assert result.labels == path
    listed = json.loads((path / "labels" / "zarr.json").read_text())["attributes"]["ome"]["labels"]
    assert listed == ["instances"]
    label = path / "labels" / "instances"
    for place, pixels in ((path, STACK), (label, STACK > 0)):
        assert read_calibration(place)[:2] == pytest.approx((0.25, 0.25))
        assert [np.array_equal(read_image(place, page)[0] > 0, pixels[page] > 0) for page in (0, 1)] == [
            True
        ] * 2
        levels = json.loads((place / "zarr.json").read_text())["attributes"]["ome"]["multiscales"][0][
            "datasets"
        ]
        assert [level["coordinateTransformations"][0]["scale"] for level in levels] == [
            [1.0, 0.25, 0.25],
            [1.0, 0.5, 0.5],
        ]
    from yaozarrs import validate_zarr_store

    validate_zarr_store(path)


def test_a_corrected_ome_zarr_is_kept(tmp_path: Path) -> None:
    import zarr

    tifffile.imwrite(tmp_path / "a.tif", STACK[1])
    options = {"label_format": "ome-zarr", "overwrite": True}
    predict(tmp_path / "a.tif", tmp_path / "labels", **options)
    path = tmp_path / "labels" / "a.ome.zarr"
    predict(tmp_path / "a.tif", tmp_path / "labels", **options)  # replaces its own output
    assert is_ours(path) and sorted(file.name for file in path.parent.iterdir()) == ["a.ome.zarr"]
    labels = zarr.open_group(path, mode="a")["labels/instances/0"]
    labels[0, 0] = 7
    with pytest.raises(DataError, match="no label image that finetune wrote"):
        predict(tmp_path / "a.tif", tmp_path / "labels", **options)
    assert labels[0, 0] == 7


def test_an_image_of_several_channels_keeps_them_in_ome_zarr(tmp_path: Path) -> None:
    pixels = np.stack([STACK[0], STACK[1], STACK[0]])
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", metadata={"axes": "CYX"})
    outputs = plan_outputs(tmp_path / "a.tif", tmp_path / "labels", label_format="ome-zarr")
    list(predict_outputs(Bright(channels=3), outputs, *check_headers(outputs)))
    path = tmp_path / "labels" / "a.ome.zarr"
    assert np.array_equal(read_image(path), pixels)
    assert read_labels(path / "labels" / "instances").max() == 1


PYTHON = "FINETUNE_OME_ZARR_PYTHON"

READ = """
import sys
from napari_ome_zarr import napari_get_reader
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
nodes = list(Reader(parse_url(sys.argv[1]))())
print([int(node.data[0].max().compute()) for node in nodes if node.data])
print([(kind, data[0].shape if isinstance(data, list) else data.shape) for data, _, kind in
    napari_get_reader(sys.argv[1])(sys.argv[1])])
"""


@pytest.mark.slow
def test_ome_zarr_py_and_napari_open_the_labels(tmp_path: Path) -> None:
    python = os.environ.get(PYTHON)
    if not python:
        pytest.skip(f"{PYTHON} is not set: a Python with ome-zarr and napari-ome-zarr")
    tifffile.imwrite(tmp_path / "a.tif", STACK[1])
    predict(tmp_path / "a.tif", tmp_path / "labels", label_format="ome-zarr")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    path = tmp_path / "labels" / "a.ome.zarr"
    shown = subprocess.run(
        [python, "-c", READ, path], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert shown[0] == "[200, 2]"
    assert shown[-1] == "[('image', (300, 280)), ('labels', (300, 280))]"


def test_predictions_in_both_formats_are_evaluated_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "a.tif", STACK[1])
    reference = ndimage.label(STACK[1])[0].astype(np.uint16)
    (tmp_path / "reference").mkdir()
    tifffile.imwrite(tmp_path / "reference" / "a.tif", reference)
    for label_format in ("tiff", "ome-zarr"):
        out = tmp_path / label_format
        predict(tmp_path / "images", out, label_format=label_format, save=["overlays", "geojson"])
        result = evaluate(out, tmp_path / "reference")
        assert result.summary["dice"].mean == result.summary["ap50"].mean == 1
    alone = evaluate(tmp_path / "ome-zarr" / "a.ome.zarr", tmp_path / "reference" / "a.tif")
    assert alone.summary["dice"].mean == 1
