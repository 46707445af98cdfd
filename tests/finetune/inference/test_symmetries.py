"""Prediction averaged over rotations and reflections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from square_models import level_model
from torch import nn
from typer.testing import CliRunner

import finetune
from cards.base import NetworkSpec
from finetune.cli.main import app
from finetune.data.normalization import build_normalize
from finetune.inference.model import Model
from finetune.inference.symmetries import SYMMETRIES, SymmetricModel, measure_disagreement
from finetune.metrics.dice import dice
from finetune.targets.pixels import orient_pixels
from finetune.targets.registry import build_target

RELEASE = Path(__file__).parents[2] / "fixtures" / "0.2.0"
IMAGE = np.random.default_rng(0).normal(size=(1, 24, 40)).astype(np.float32)


def model_of(target: str, seed: int = 0) -> Model:
    """A convolution with random weights, which is not symmetric."""
    built = build_target(target)
    torch.manual_seed(seed)
    network = nn.Conv2d(1, built.channels, 3, padding=1, padding_mode="replicate")
    return Model(
        network=network,
        target=built,
        normalize=build_normalize({"name": "scale_linear", "gain": 1.0, "offset": 0.0}),
        select="auto",
        channels=1,
        divisor=1,
        architecture=NetworkSpec(repository="none", name="none"),
    )


@pytest.mark.parametrize("target", ["foreground", "foreground_boundary", "flows", "rays"])
def test_a_turned_image_has_turned_maps(target: str) -> None:
    model = SymmetricModel(model_of(target))
    maps = model.predict_maps(IMAGE)
    for rotations, flip in SYMMETRIES:
        turned = model.predict_maps(orient_pixels(IMAGE, rotations, flip))
        np.testing.assert_allclose(turned, model.target.orient(maps, rotations, flip), atol=1e-5)


def test_the_model_alone_is_not_symmetric() -> None:
    model = model_of("foreground")
    turned = model.predict_maps(model.prepare(orient_pixels(IMAGE, 1, False)))
    assert np.abs(turned - orient_pixels(model.predict_maps(model.prepare(IMAGE)), 1, False)).max() > 0.01


def test_on_the_command_line(tmp_path: Path) -> None:
    image = RELEASE / "discs" / "test" / "images" / "disc_00.tif"
    result = CliRunner().invoke(
        app, ["predict", str(RELEASE / "run"), str(image), "--out", str(tmp_path), "--symmetries"]
    )
    assert result.exit_code == 0
    assert (tmp_path / "disc_00.tif").is_file()


def test_models_without_maps_are_refused() -> None:
    class Labels:
        channels = 1

        def predict(self, image: np.ndarray) -> np.ndarray:
            return np.zeros(image.shape[-2:], np.int32)

    with pytest.raises(finetune.ModelError, match="--symmetries: the model predicts no maps"):
        SymmetricModel(Labels())
    with pytest.raises(
        finetune.ModelError, match="--symmetries: maps of the target queries cannot be averaged"
    ):
        SymmetricModel(model_of("queries"))


def test_a_model_without_a_preferred_direction_does_not_disagree() -> None:
    labels, disagreement = measure_disagreement(level_model(0.5), IMAGE)
    assert 0 < np.count_nonzero(labels) < labels.size and disagreement == 0


def test_disagreement_is_the_mean_difference_of_the_turned_predictions() -> None:
    model = model_of("foreground")
    labels, disagreement = measure_disagreement(model, IMAGE)
    assert np.array_equal(labels, model.predict(IMAGE))
    turned_back = [
        orient_pixels(model.predict(np.rot90(IMAGE, quarter, (1, 2))), -quarter % 4, False)
        for quarter in (1, 2, 3)
    ]
    turned_back += [
        np.rot90(model.predict(np.rot90(IMAGE, quarter, (1, 2))[..., ::-1])[:, ::-1], -quarter)
        for quarter in range(4)
    ]
    assert disagreement == pytest.approx(1 - np.mean([dice(one, labels) for one in turned_back]))
    assert disagreement > 0.05
