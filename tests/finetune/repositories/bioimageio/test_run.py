"""Whole runs that start from a BioImage.IO package."""

from __future__ import annotations

from pathlib import Path

import pytest
from clean_audit import assert_nothing_broken
from foreign import make_package, start
from no_onnx import hide_onnx

import finetune
from cards.base import Spec
from cards.errors import InputError
from finetune.data.images import read_image
from finetune.recipe.reader import read_recipe

CHANGES = [
    "model.repository=bioimageio",
    "model.name=tiny-fish",
    "model.options={}",
    "model.target=foreground",
    "model.checkpoint=tiny/package",
    "training.average=0.9",
    "training.epochs=2",
]


@pytest.fixture
def recipe(tmp_path: Path, recipe_file: Path, monkeypatch):
    """recipe(*overrides): learns the discs, starting from tiny/package."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()

    def read(*overrides: str):
        return read_recipe(recipe_file, [*CHANGES, *overrides])

    return read


@pytest.mark.parametrize(
    ("adapt", "traced", "start"),
    [pytest.param("full", True, "run", marks=pytest.mark.slow), ("head", False, "package")],
)
def test_before_and_after_are_measured_and_every_export_is_the_trained_model(
    recipe, tmp_path, monkeypatch, adapt, traced, start
):
    make_package(tmp_path / "tiny", traced=traced, id="tiny-fish", version="1.2.0")
    record = finetune.run(recipe(f"model.adapt={adapt}"), out=tmp_path / "run")
    assert record.accuracy.before is not None
    assert (record.model.base.id, record.model.base.revision) == ("tiny-fish", "1.2.0")
    assert record.card.license == "MIT"
    assert record.model.normalize == Spec(name="zero_mean_unit_variance")
    assert (record.model.trainable < record.model.parameters) == (adapt == "head")
    assert sorted(check.format for check in record.exports) == ["onnx", "safetensors", "torchscript"]
    assert all(check.equal for check in record.exports)
    card = (tmp_path / "run" / "huggingface" / "README.md").read_text()
    assert "tiny-fish" in card
    assert "10.1234/tiny" in card
    (tmp_path / "tiny").rename(tmp_path / "gone")
    image = read_image(next((tmp_path / "discs" / "test" / "images").iterdir()))
    assert finetune.load(tmp_path / "run").predict(image).any()
    # The run is a start in its turn, and so is the package that it wrote.
    hide_onnx(monkeypatch)
    package = next((tmp_path / "run" / "bioimageio").iterdir())
    checkpoint = {"run": "run", "package": package}[start]
    overrides = [f"model.checkpoint={checkpoint}", f"model.adapt={adapt}", "training.epochs=1"]
    again = finetune.run(recipe(*overrides), out=tmp_path / "again")
    assert again.accuracy.before.summary["dice"].mean == pytest.approx(
        record.accuracy.after.summary["dice"].mean, abs=1e-3
    )
    assert_nothing_broken(tmp_path / "again", tmp_path / "discs")
    if start == "run":
        assert again.accuracy.before.summary == record.accuracy.after.summary
        assert again.model.base.license == "MIT"
        assert [parent.name for parent in again.model.base.parents] == ["tiny-fish"]


def test_another_target_than_that_of_the_package(recipe, tmp_path, capsys):
    make_package(tmp_path / "tiny", id="tiny-fish")
    record = finetune.run(recipe("model.target=foreground_boundary"), out=tmp_path / "run")
    part = "all but the last layer (48 of 66 parameters)"
    assert record.model.base.part == part
    note = "not measured, because only part of the initial weights was pretrained"
    assert (record.accuracy.before, record.accuracy.before_note) == (None, note)
    assert sorted(check.format for check in record.exports) == ["onnx", "safetensors", "torchscript"]
    assert all(check.equal for check in record.exports)
    card = (tmp_path / "run" / "huggingface" / "README.md").read_text()
    assert f"fine-tuned from tiny-fish (bioimageio), reusing {part}, on" in card
    assert f"initial weights: {part}; the others are random" in capsys.readouterr().err
    assert_nothing_broken(tmp_path / "run", tmp_path / "discs")
    # The run is a start for a third target.
    origin = start(tmp_path / "run", out_channels=3).origin
    assert origin.part == "all but the last layer (48 of 75 parameters)"
    assert [parent.name for parent in origin.parents] == ["tiny-fish"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["card.license=MIT"], "card.license: MIT contradicts CC-BY-NC-4.0, the license of the base model"),
        (["training.patch=33"], "33 is not a multiple of 2"),
    ],
)
def test_what_cannot_work_is_said_before_anything_runs(recipe, tmp_path, overrides, message):
    make_package(tmp_path / "tiny", license="CC-BY-NC-4.0")
    with pytest.raises(InputError) as caught:
        finetune.run(recipe(*overrides), out=tmp_path / "run")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()
