"""`prediction.json` states the tile mismatch that was measured on each image."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import tifffile
from attention_model import attention_model
from saved_model import save_small_model
from spots_model import spots_image
from typer.testing import CliRunner

from finetune.cli.main import app
from finetune.inference.folder import check_headers
from finetune.inference.outputs import plan_outputs
from finetune.pipeline.prediction_job import PredictionJob

LARGE, SMALL = (64, 1100), (64, 80)  # an image of two tiles, and one of one


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name, size in {"a": LARGE, "b": SMALL, "c": LARGE}.items():
        tifffile.imwrite(folder / f"{name}.tif", spots_image(*size, seed=ord(name)))
    return folder


def job(images: Path, out: Path) -> PredictionJob:
    outputs = plan_outputs(images, out)
    return PredictionJob(attention_model(), [], outputs, *check_headers(outputs), tile_mismatch=True)


def stated(out: Path) -> list[dict[str, Any] | None]:
    (prediction,) = json.loads((out / "prediction.json").read_text())["predictions"]
    return [image["tile_mismatch"] for image in prediction["images"]]


def test_the_record_states_what_was_measured_also_after_an_interruption(images: Path, tmp_path: Path) -> None:
    list(job(images, tmp_path / "whole").run())
    first, small, last = stated(tmp_path / "whole")
    assert first and last and small is None
    assert (first["tile"], first["window"], first["windows"]) == (1024, [64, 1100], 1)
    assert 0 < first["mismatch"] < 1
    assert first["mismatch"] != last["mismatch"]
    interrupted = job(images, tmp_path / "out").run()
    list(islice(interrupted, 2))
    interrupted.close()
    assert stated(tmp_path / "out") == [first, small]
    list(job(images, tmp_path / "out").run())
    assert stated(tmp_path / "out") == [first, small, last]


def test_the_command_states_it_for_a_network_with_group_normalization(images: Path, tmp_path: Path) -> None:
    model = save_small_model(tmp_path / "model")
    arguments = ["predict", model, images / "a.tif", "--out", tmp_path / "out", "--tile-mismatch", "--json"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    (found,) = stated(tmp_path / "out")
    assert found and found["mismatch"] < 1e-3
    assert json.loads(result.stdout)["tile_mismatch"] == found
    assert "a.tif: tile mismatch: " in result.stderr


def test_without_the_option_nothing_is_stated(images: Path, tmp_path: Path) -> None:
    model = save_small_model(tmp_path / "model")
    result = CliRunner().invoke(
        app, ["predict", str(model), str(images / "b.tif"), "--out", str(tmp_path / "out"), "--json"]
    )
    assert "tile_mismatch" not in result.stdout + (tmp_path / "out" / "prediction.json").read_text()
