"""What earlier releases wrote stays readable: recipe, record, run folder, checkpoint and package.

`tests/support/make_release_fixture.py` writes the fixtures, one folder per release.
"""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from rich.console import Console

import finetune
from cards.huggingface import render
from cards.record import RunRecord
from finetune.metrics.dice import dice

RELEASES = sorted(path for path in (Path(__file__).parents[2] / "fixtures").iterdir() if path.is_dir())


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def release(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what a release wrote, as the working folder."""
    shutil.copytree(request.param, tmp_path / "release")
    monkeypatch.chdir(tmp_path / "release")
    return tmp_path / "release"


def images(release: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Test images, each with the labels that the release predicted."""
    found = sorted((release / "discs" / "test" / "images").glob("*.tif"))
    assert found
    return [(tifffile.imread(path), tifffile.imread(release / "labels" / path.name)) for path in found]


def test_the_recipe_is_read(release: Path) -> None:
    assert finetune.read_recipe("discs.yaml").model.name == "unet"
    assert finetune.read_recipe("run/recipe.yaml").training.epochs == 8


def test_the_record_is_read_and_its_card_rendered(release: Path) -> None:
    record = RunRecord.read(release / "run" / "record.json")
    assert record.accuracy is not None
    assert f"{record.accuracy.after.summary['dice'].mean:.4f}" in render(record, [])


@pytest.mark.parametrize("model", ["run", "run/huggingface", "run/bioimageio/discs.zip"])
def test_the_model_predicts_the_labels_of_the_release(release: Path, model: str) -> None:
    predictor = finetune.load(model)
    for image, labels in images(release):
        assert dice(predictor.predict(image), labels) > 0.99


class Interrupting(io.StringIO):
    """A terminal at which somebody presses Ctrl-C after an epoch."""

    def write(self, text: str) -> int:
        if "epoch 3/8" in self.getvalue():
            raise KeyboardInterrupt
        return super().write(text)


def test_the_unfinished_run_continues_with_its_next_epoch(release: Path) -> None:
    terminal = Interrupting()
    recipe = finetune.read_recipe("unfinished.partial/recipe.yaml")
    with pytest.raises(KeyboardInterrupt):
        finetune.run(recipe, out="unfinished.partial", resume=True, console=Console(file=terminal))
    epochs = re.findall(r"^epoch \d+/8: loss", terminal.getvalue(), re.MULTILINE)
    assert epochs[0] == "epoch 3/8: loss"


@pytest.mark.slow
def test_the_unfinished_run_is_resumed(release: Path) -> None:
    recipe = finetune.read_recipe("unfinished.partial/recipe.yaml")
    record = finetune.run(recipe, out="unfinished", resume=True)
    assert record is not None
    assert record.training.resumed == 1
    assert record.training.epochs == recipe.training.epochs
