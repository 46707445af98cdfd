"""Instances of a model that predicts a boundary: the regions that the boundary encloses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from scipy import ndimage

from cards.base import NetworkSpec
from finetune.data.labels import convert
from finetune.data.normalization import Percentile
from finetune.data.statistics import measure_image, summarize
from finetune.inference.folder import FolderPrediction, check_headers
from finetune.inference.model import Model
from finetune.inference.outputs import plan_outputs
from finetune.inference.similarity import compare_images
from finetune.inference.stream import StreamOptions
from finetune.pipeline.prediction_job import PredictionJob
from finetune.targets.registry import build_target

KINDS = ["instances", "outlines", "overlays", "geojson", "rois", "measurements"]


class Bright(torch.nn.Module):
    """Bright pixels are boundaries."""

    def __init__(self) -> None:
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 20 * (images - self.level)


def lines_model() -> Model:
    return Model(
        network=Bright().eval(),
        target=build_target("boundary"),
        normalize=Percentile(),
        select="auto",
        channels=1,
        divisor=4,
        architecture=NetworkSpec(repository="test", name="lines"),
    )


def cells() -> np.ndarray:
    """Boundaries (H, W) of cells of many shapes: where smooth noise changes its sign."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(301, 262)), 6)
    return np.abs(smooth) < 0.005


def predict(folder: Path, options: StreamOptions | None = None) -> tuple[PredictionJob, FolderPrediction]:
    folder.mkdir()
    tifffile.imwrite(folder / "cells.tif", cells().astype(np.uint8) * 200)
    outputs = plan_outputs(folder / "cells.tif", folder / "labels", save=KINDS)
    job = PredictionJob(lines_model(), [], outputs, *check_headers(outputs), options=options)
    (result,) = job.run()
    assert result.error is None
    return job, result


@pytest.mark.parametrize(
    "options", [None, StreamOptions(tile=64, block=96, margin=32, large=1000)], ids=["memory", "parts"]
)
def test_instances_are_the_enclosed_regions(tmp_path: Path, options: StreamOptions | None) -> None:
    _, result = predict(tmp_path / "cells", options)
    regions = convert(cells().astype(np.int32), "boundary", "instances")
    assert result.labels is not None and result.instances == regions.max() > 20
    np.testing.assert_array_equal(tifffile.imread(result.labels), cells())
    np.testing.assert_array_equal(tifffile.imread(result.files["instances"]), regions)
    with (result.labels.parent / "measurements.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["label"]) for row in rows] == list(range(1, regions.max() + 1))
    assert [int(row["area_px"]) for row in rows] == np.bincount(regions.ravel())[1:].tolist()
    assert len(json.loads(result.files["geojson"].read_text())["features"]) == regions.max()
    recorded = json.loads((result.labels.parent / "prediction.json").read_text())
    assert recorded["predictions"][0]["images"][0]["instances"] == regions.max()


def test_outputs_in_parts_are_those_in_memory(tmp_path: Path) -> None:
    _, whole = predict(tmp_path / "whole")
    _, parts = predict(tmp_path / "parts", StreamOptions(tile=64, block=96, margin=32, large=1000))
    for kind in ("geojson", "rois"):
        assert whole.files[kind].read_bytes() == parts.files[kind].read_bytes()


@pytest.mark.parametrize(
    "options", [None, StreamOptions(tile=64, block=96, margin=32, large=1000)], ids=["memory", "parts"]
)
def test_sizes_of_objects_are_compared_with_those_of_the_training_masks(
    tmp_path: Path, options: StreamOptions | None
) -> None:
    tifffile.imwrite(tmp_path / "cells.tif", cells().astype(np.uint8) * 200)
    outputs = plan_outputs(tmp_path / "cells.tif", tmp_path / "labels")
    job = PredictionJob(lines_model(), [], outputs, *check_headers(outputs), options=options)
    mask = convert(cells().astype(np.int32), "boundary", "instances")
    training = summarize([measure_image(cells()[None] * np.uint8(200), tmp_path / "cells.tif", mask)])
    job.comparison = compare_images(job.headers, training, "auto")
    list(job.run())
    assert job.comparison.images is not None and training is not None
    found, expected = job.comparison.images.diameter_px, training.diameter_px
    assert found is not None and expected is not None
    assert found.median == pytest.approx(expected.median, rel=1e-3)  # one is rounded
    assert job.comparison.warnings == []
