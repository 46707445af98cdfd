"""Prediction from Python: several inputs, ensembles, and the record beside the label images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from foreign import make_package
from saved_model import save_small_model
from square_models import level_model

import finetune
from cards.errors import InputError
from cards.fingerprint import sha256_file
from finetune.inference.ensemble import EnsembleModel
from finetune.pipeline.prediction_models import load_models

IMAGE = np.random.default_rng(0).integers(0, 255, (32, 40)).astype(np.uint8)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    return [save_small_model(folder / name) for name in "ab"]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / "images" / name, IMAGE)
    return tmp_path / "images"


def test_several_models_load_as_one(models: list[Path]) -> None:
    ensemble = finetune.load(models)
    assert isinstance(ensemble, EnsembleModel) and len(ensemble.members) == 2
    assert np.array_equal(finetune.predict(models, IMAGE), ensemble.predict(IMAGE))
    assert not isinstance(finetune.load(models[:1]), EnsembleModel)
    with pytest.raises(finetune.ModelError, match="is named twice"):
        finetune.load([models[0], models[1] / ".." / models[0].name])


def test_an_ensemble_segments_the_images_of_a_pattern_and_is_described(
    models: list[Path], images: Path, tmp_path: Path
) -> None:
    results = finetune.predict(models, f"{images}/*.tif", out=tmp_path / "out", save="measurements")
    assert [result.image.name for result in results] == ["a.tif", "b.tif"]
    record = json.loads((tmp_path / "out" / "prediction.json").read_text())
    (prediction,) = record["predictions"]
    assert [model["name"] for model in prediction["models"]] == ["a", "b"]
    weights = [sha256_file(model / "model.safetensors") for model in models]
    assert [model["weights_sha256"] for model in prediction["models"]] == weights
    card = (tmp_path / "out" / "README.md").read_text()
    assert all(sha256 in card for sha256 in weights)
    assert sorted(record["files"]) == ["README.md", "measurements.csv"]


def test_a_model_from_python_is_not_named(images: Path, tmp_path: Path) -> None:
    finetune.predict(level_model(0.5), images, out=tmp_path / "out", save=["overlays", "geojson"])
    (prediction,) = json.loads((tmp_path / "out" / "prediction.json").read_text())["predictions"]
    assert prediction["models"] == [] and "no record" in prediction["comparison"]["not_compared"]
    assert sorted(path.name for path in (tmp_path / "out" / "overlays").iterdir()) == ["a.png", "b.png"]


def test_a_package_is_described_by_its_license_and_weights(tmp_path: Path) -> None:
    package = make_package(tmp_path)
    model, (member,) = load_models([str(package)])
    weights = model.package.description.weights.torchscript
    assert (member.weights_sha256, member.license) == (
        str(weights.sha256),
        str(model.package.description.license),
    )
    assert member.record is None and str(tmp_path) not in member.name


def test_the_target_of_an_ensemble_applies_to_its_packages(models: list[Path], tmp_path: Path) -> None:
    package = make_package(tmp_path)
    ensemble, members = load_models([str(models[0]), str(package)], target="foreground")
    assert isinstance(ensemble, EnsembleModel) and len(members) == 2
    assert ensemble.predict(IMAGE).shape == IMAGE.shape


def test_a_target_for_an_ensemble_without_a_package_is_refused(models: list[Path]) -> None:
    with pytest.raises(InputError, match="no model of this ensemble is a BioImage.IO package"):
        load_models(list(map(str, models)), target="foreground")
