"""A prediction that was interrupted and repeated: table and record are those of one that was not."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from examples import full
from spots_model import spots_model, write_spots

from cards.image_statistics import ImageStatistics
from finetune.data.images import read_image, read_labels
from finetune.data.statistics import measure_image, summarize
from finetune.inference.folder import check_headers
from finetune.inference.outputs import plan_outputs
from finetune.inference.stream import StreamOptions
from finetune.pipeline.prediction_job import PredictionJob
from finetune.pipeline.prediction_models import Member

SIZES = {"a": (90, 80), "large": (190, 170), "z": (80, 90)}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for name, size in SIZES.items():
        write_spots(folder / f"{name}.tif", *size)
    return folder


def job(images: Path, out: Path, training: ImageStatistics | None = None) -> PredictionJob:
    """The second image is segmented part by part."""
    outputs = plan_outputs(images, out, save=["measurements"])
    members = []
    if training:
        record = full()
        data = record.data.model_copy(update={"statistics": training})
        members = [Member("spots", record.model_copy(update={"data": data}))]
    options = StreamOptions(tile=64, block=96, margin=32, large=150**2)
    return PredictionJob(spots_model(), members, outputs, *check_headers(outputs), options=options)


@pytest.fixture(scope="module")
def whole(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label images, table and record of a prediction without a model that states its training images."""
    out = tmp_path_factory.mktemp("whole") / "labels"
    list(job(images, out).run())
    return out


@pytest.fixture(scope="module")
def training(images: Path, whole: Path) -> ImageStatistics:
    """Training images like the predicted ones."""
    names = [f"{name}.tif" for name in SIZES]
    found = summarize(
        [measure_image(read_image(images / n), images / n, read_labels(whole / n)) for n in names]
    )
    assert found is not None
    return found


def record_of(out: Path) -> dict[str, Any]:
    """The prediction in the record, without its time."""
    (prediction,) = json.loads((out / "prediction.json").read_text())["predictions"]
    del prediction["created"]
    return dict(prediction)


@pytest.mark.parametrize("finished", [1, 2])
def test_finished_images_are_skipped_and_table_and_record_are_complete(
    finished: int, images: Path, whole: Path, training: ImageStatistics, tmp_path: Path
) -> None:
    out, expected = tmp_path / "out", tmp_path / "expected"
    list(job(images, expected, training).run())
    interrupted = job(images, out, training).run()
    first = list(islice(interrupted, finished))
    interrupted.close()
    times = {result.labels: result.labels.stat().st_mtime_ns for result in first if result.labels}
    assert len(times) == finished
    list(job(images, out, training).run())
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    table = (out / "measurements.csv").read_bytes()
    assert table == (expected / "measurements.csv").read_bytes() == (whole / "measurements.csv").read_bytes()
    assert len(table.splitlines()) > 20
    assert record_of(out) == record_of(expected)


def test_the_record_states_the_sizes_of_objects_of_all_images(
    images: Path, training: ImageStatistics, tmp_path: Path
) -> None:
    list(job(images, tmp_path / "out", training).run())
    comparison = record_of(tmp_path / "out")["comparison"]
    assert comparison["images"]["images"] == len(SIZES)
    for name, value in comparison["training_images"]["diameter_px"].items():
        assert comparison["images"]["diameter_px"][name] == pytest.approx(value, rel=1e-3)
