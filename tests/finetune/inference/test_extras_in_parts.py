"""Optional outputs of an image that is segmented part by part are those of the image in memory."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from spots_model import spots_image, spots_model, write_spots

from finetune.data.calibration import Calibration, read_calibration
from finetune.inference.extras.measurements import MeasurementTable
from finetune.inference.extras.registry import EXTRAS, Segmented, writer
from finetune.inference.folder import check_headers
from finetune.inference.label_bands import LabelBands
from finetune.inference.label_parts import complete_parts, outlined_rows
from finetune.inference.markers import is_ours
from finetune.inference.outputs import plan_outputs
from finetune.inference.stitching import DecodedBlock, blocks_of
from finetune.inference.stream import StreamOptions
from finetune.pipeline.prediction_job import PredictionJob

SHAPE = (301, 262)
KINDS = ["outlines", "overlays", "geojson", "rois"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Outputs written part by part, and those of the same labels in memory."""
    folder = tmp_path_factory.mktemp("outputs")
    image = write_spots(folder / "spots.tif", *SHAPE)
    outputs = plan_outputs(image, folder / "parts", save=[*KINDS, "measurements"])
    options = StreamOptions(tile=64, block=96, margin=32, large=1000)
    job = PredictionJob(spots_model(), [], outputs, *check_headers(outputs), options=options)
    (result,) = job.run()
    assert result.error is None
    assert set(result.files) == set(KINDS)
    labels = tifffile.imread(folder / "parts" / "spots.tif").astype(np.int32)[None]
    calibration = read_calibration(image)._replace(axes="", planes=())
    pixels = [spots_image(*SHAPE)[None]]
    whole = Segmented("spots.tif", calibration or Calibration(), pixels, labels, [], ())
    for kind in KINDS:
        (folder / "whole" / kind).mkdir(parents=True)
        writer(kind)(whole, folder / "whole" / kind / f"spots{EXTRAS[kind].ending}")
    table = MeasurementTable()
    table.add(whole)
    table.write(folder / "whole" / "measurements.csv")
    return folder / "parts", folder / "whole"


@pytest.mark.parametrize("kind", ["outlines", "overlays"])
def test_pictures_are_the_same(kind: str, folders: tuple[Path, Path]) -> None:
    found, expected = (np.asarray(Image.open(folder / kind / "spots.png")) for folder in folders)
    np.testing.assert_array_equal(found, expected)
    assert is_ours(folders[0] / kind / "spots.png")


def test_objects_for_qupath_and_regions_for_imagej_are_the_same(folders: tuple[Path, Path]) -> None:
    for name in ("geojson/spots.geojson", "rois/spots_RoiSet.zip"):
        found, expected = (folder / name for folder in folders)
        assert found.read_bytes() == expected.read_bytes()
        assert is_ours(found)
    assert len(json.loads((folders[0] / "geojson" / "spots.geojson").read_text())["features"]) > 30


def test_measurements_are_the_same(folders: tuple[Path, Path]) -> None:
    found, expected = (list(csv.DictReader((one / "measurements.csv").open())) for one in folders)
    assert len(found) == len(expected) > 30
    for row, other in zip(found, expected, strict=True):
        assert (row["image"], row["label"]) == (other["image"], other["label"])
        for name in row.keys() - {"image", "label"}:
            assert float(row[name]) == pytest.approx(float(other[name]), rel=1e-5)


def bands_of(labels: np.ndarray, side: int) -> LabelBands:
    """A label image of instances in reading order, in bands."""
    blocks = blocks_of(*labels.shape, side)
    flat = [block for row in blocks for block in row]
    nothing = np.empty(0, np.int64)

    def load(number: int) -> DecodedBlock:
        block = flat[number]
        part = labels[slice(*block.rows), slice(*block.columns)].astype(np.int32)
        return DecodedBlock(part, nothing, nothing, nothing.astype(np.int32))

    return LabelBands(blocks, load, "pixels")


def test_each_instance_lies_in_one_part_even_if_it_is_taller_than_a_band() -> None:
    labels = np.zeros((40, 12), np.int32)
    labels[0:2, 0:2], labels[1:30, 4], labels[5:8, 8:10], labels[33:40, 0:3] = 1, 2, 3, 4
    joined, seen = np.zeros_like(labels), list[int]()
    for top, part, offset in complete_parts(bands_of(labels, 8), step=3):
        assert part.any()
        joined[top : top + len(part)] += np.where(part > 0, part + offset, 0)
        seen += (np.unique(part[part > 0]) + offset).tolist()
    np.testing.assert_array_equal(joined, labels)
    assert seen == [1, 2, 3, 4]
    assert [top for top, _, _ in outlined_rows(bands_of(labels, 8), step=3)][:4] == [0, 3, 6, 8]
