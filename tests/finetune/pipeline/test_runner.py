"""Complete runs through the Python API."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from discs import RECIPE, write_discs
from huggingface_hub import ModelCard
from no_onnx import hide_onnx
from rich.console import Console
from safetensors.numpy import load_file, save_file

import finetune
from cards.errors import InputError
from cards.fingerprint import sha256_file
from cards.reading import find_record
from cards.record import RunRecord
from cards.rendering import render_files
from finetune.metrics.dice import dice
from finetune.recipe.reader import read_recipe


def run(recipe_file: Path, out: Path, *overrides: str, terminal: bool = False) -> tuple[RunRecord, str]:
    """The record, and what the terminal or log showed."""
    console = Console(file=io.StringIO(), width=200, force_terminal=terminal)
    record = finetune.run(read_recipe(recipe_file, overrides), out=out, console=console)
    return record, console.file.getvalue()


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A base model, and a run that fine-tuned it: their folders, and the data's."""
    place = tmp_path_factory.mktemp("tuned")
    write_discs(place / "discs" / "train", 10)
    write_discs(place / "discs" / "test", 3, seed=1)
    recipe_file = place / "discs.yaml"
    recipe_file.write_text(RECIPE.replace("ROOT", str(place / "discs")))
    with pytest.MonkeyPatch.context() as patch:
        hide_onnx(patch)  # the package of the second run has them
        _, shown = run(recipe_file, place / "base", "training.epochs=10", terminal=True)
        (place / "terminal.txt").write_text(shown, encoding="utf-8")
    run(recipe_file, place / "tuned", "training.epochs=5", f"model.checkpoint={place / 'base'}")
    return place / "base", place / "tuned", place / "discs"


def test_a_copy_of_the_hub_folder_and_the_package_rebuild_record_and_card(
    tuned: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    folder = tuned[1]
    record = RunRecord.read(folder)
    shutil.copytree(folder / "huggingface", tmp_path / "downloaded")
    downloaded = find_record(tmp_path / "downloaded")
    assert downloaded.dumps() == record.dumps() == (folder / "record.json").read_text(encoding="utf-8")
    files = render_files(downloaded, tmp_path / "downloaded" / "pictures", folder)
    assert files["README.md"] == (folder / "huggingface" / "README.md").read_bytes()
    assert files["report.html"] == (folder / "report.html").read_bytes()

    packaged = find_record(folder / "bioimageio" / "discs.zip")
    later = {"exports": [], "files": [], "runtimes": [], "warnings": []}  # follow once the package exists
    assert packaged.model_copy(update=later) == record.model_copy(update=later)


def test_a_terminal_shows_the_progress_of_the_exports_to_the_end(tuned: tuple[Path, Path, Path]) -> None:
    shown = (tuned[0].parent / "terminal.txt").read_text(encoding="utf-8")
    lines = re.findall(r"exporting and verifying .*?(\d+) %", shown)
    assert len(set(lines)) > 3 and lines[-1] == "100"


def test_the_run_folder_is_as_designed(tuned: tuple[Path, Path, Path]) -> None:
    for folder in tuned[:2]:
        for name in (
            "recipe.yaml",
            "record.json",
            "scores.csv",
            "report.html",
            "images.json",
            "checkpoints/last.ckpt",
            "checkpoints/best.ckpt",
            "huggingface/README.md",
            "huggingface/model.safetensors",
            "huggingface/config.json",
            "bioimageio/discs.zip",
        ):
            assert (folder / name).is_file(), name


def test_a_run_records_leakage_selections_and_the_exposure_of_its_base_model(
    tuned: tuple[Path, Path, Path],
) -> None:
    base, after = (RunRecord.read(folder) for folder in tuned[:2])
    for record in (base, after):
        assert record.leakage.relations == []
        assert record.leakage.base_model_exposure == "not seen"
        (epoch,) = record.training.selections
        assert (epoch.what, epoch.value) == ("epoch", str(record.training.best_epoch))
        assert (epoch.metric, epoch.split, epoch.images) == ("Dice", "validation", 1)
    assert after.leakage.exposure_source.startswith("record of the run discs: no test image")


def test_before_is_untrained_for_random_weights_and_measured_for_a_base_model(
    tuned: tuple[Path, Path, Path],
) -> None:
    base, after = (RunRecord.read(folder) for folder in tuned[:2])
    assert base.accuracy.before is None
    assert base.accuracy.before_note == "untrained"
    assert after.model.base.weights == "pretrained"
    assert after.model.base.sha256 == sha256_file(tuned[0] / "huggingface" / "model.safetensors")
    # What the one run measured at its end is what the next measures at its beginning.
    assert after.accuracy.before.summary["dice"].mean == base.accuracy.after.summary["dice"].mean
    change = after.accuracy.change
    assert change.low <= change.mean <= change.high


def test_the_loaded_model_gives_the_dice_on_the_card(tuned: tuple[Path, Path, Path]) -> None:
    _, folder, discs = tuned
    record, model = RunRecord.read(folder), finetune.load(folder)
    for scored in record.accuracy.after.scores:
        image = tifffile.imread(discs / "test" / "images" / f"{scored.image.split('/')[-1]}.tif")
        reference = tifffile.imread(discs / "test" / "masks" / f"{scored.image.split('/')[-1]}.tif")
        assert dice(model.predict(image), reference) == pytest.approx(scored.metrics["dice"], abs=1e-3)


def test_scores_have_a_row_an_image_and_stage(tuned: tuple[Path, Path, Path]) -> None:
    with (tuned[1] / "scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["image", "stage", "dice", "ap50", "ap75", "ap90", "pq", "seconds"]
    assert [row["stage"] for row in rows] == ["before"] * 3 + ["after"] * 3


def test_every_export_was_loaded_again_and_gives_the_same_dice(tuned: tuple[Path, Path, Path]) -> None:
    checks = RunRecord.read(tuned[1]).exports
    assert {check.format for check in checks} == {"safetensors", "torchscript", "onnx", "pytorch_state_dict"}
    assert all(check.equal and check.images == 3 for check in checks)


def test_every_file_has_its_hash_in_the_record(tuned: tuple[Path, Path, Path]) -> None:
    folder = tuned[1]
    listed = {file.path: file.sha256 for file in RunRecord.read(folder).files}
    there = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "record.json" and "logs" not in path.parts
    }
    assert listed.keys() == there
    for name, sha256 in listed.items():
        assert sha256_file(folder / name) == sha256, name


def test_no_local_path_leaves_the_run_folder(tuned: tuple[Path, Path, Path]) -> None:
    # recipe.yaml and checkpoints stay at home: --resume needs to know where the images are.
    place = str(tuned[1].parent).encode()
    shared = [tuned[1] / "record.json", tuned[1] / "report.html", *(tuned[1] / "huggingface").rglob("*.*")]
    for path in shared:
        assert place not in path.read_bytes(), path
    with zipfile.ZipFile(tuned[1] / "bioimageio" / "discs.zip") as package:
        for name in package.namelist():
            assert place not in package.read(name), name


def test_the_card_s_metadata_is_what_the_hub_reads(tuned: tuple[Path, Path, Path]) -> None:
    card = ModelCard.load(tuned[1] / "huggingface" / "README.md")
    card.validate_urls = False
    results = {result.metric_type: result.metric_value for result in card.data.eval_results}
    measured = RunRecord.read(tuned[1]).accuracy.after.summary["dice"]
    assert results["dice"] == pytest.approx(measured.mean, abs=5e-5)
    assert results["dice_std"] == pytest.approx(measured.std, abs=5e-5)
    assert str(tuned[0]) not in yaml.safe_dump(card.data.to_dict())


def test_the_code_on_the_card_runs(tuned: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, image = tuned[1], next((tuned[2] / "test" / "images").glob("*.tif"))
    text = (folder / "huggingface" / "README.md").read_text()
    ours, package = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(folder / "huggingface")
    tifffile.imwrite("image.tif", tifffile.imread(image))
    names: dict = {}
    exec(ours, names)
    assert names["labels"].shape == (64, 64)
    monkeypatch.chdir(folder / "bioimageio")
    tifffile.imwrite("image.tif", tifffile.imread(image))
    exec(package, names)
    assert names["output"].shape == (1, 2, 64, 64)
    for place in ("huggingface", "bioimageio"):
        (folder / place / "image.tif").unlink()


def test_an_existing_run_is_not_overwritten(recipe_file: Path, tuned: tuple[Path, Path, Path]) -> None:
    with pytest.raises(InputError, match="--overwrite"):
        run(recipe_file, tuned[1])


def test_a_loss_that_is_not_finite_is_said_in_words(recipe_file: Path, tmp_path: Path) -> None:
    recipe = read_recipe(recipe_file)
    # read_recipe refuses such a rate; from Python one can still ask for it
    recipe = recipe.model_copy(
        update={"training": recipe.training.model_copy(update={"learning_rate": 1e30, "gradient_clip": None})}
    )
    with pytest.raises(InputError, match=r"the loss is .* lower training.learning_rate"):
        finetune.run(recipe, out=tmp_path / "run", console=Console(file=io.StringIO()))
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("without_onnx")
def test_a_model_that_finds_nothing_is_told(
    recipe_file: Path, tmp_path: Path, tuned: tuple[Path, Path, Path]
) -> None:
    blind = tmp_path / "blind"
    shutil.copytree(tuned[0], blind)
    weights = load_file(blind / "huggingface" / "model.safetensors")
    weights["head.bias"] -= 50  # so sure of the background that one careful epoch does not change it
    save_file(weights, blind / "huggingface" / "model.safetensors")
    (blind / "record.json").unlink()  # which names the weights as they were
    (blind / "huggingface" / "record.json").unlink()
    overrides = (f"model.checkpoint={blind}", "training.epochs=1", "training.learning_rate=1e-5")
    record, _ = run(recipe_file, tmp_path / "run", *overrides)
    assert any("predicts background for all validation images" in warning for warning in record.warnings)
    card = (tmp_path / "run" / "huggingface" / "README.md").read_text()
    assert "predicts background for all validation images" in card


@pytest.mark.usefixtures("without_onnx")
def test_a_tuned_model_that_got_worse_is_told(
    recipe_file: Path, tmp_path: Path, tuned: tuple[Path, Path, Path]
) -> None:
    base = f"model.checkpoint={tuned[0]}"
    # Trained to see the background: the masks are upside down where they teach, and right in the test.
    discs = tmp_path / "discs"
    for path in (discs / "train" / "masks").iterdir():
        tifffile.imwrite(path, (tifffile.imread(path) == 0).astype(np.uint8))
    record, _ = run(recipe_file, tmp_path / "run", base, "training.epochs=6")
    assert any("worse than its base model" in warning for warning in record.warnings)


@pytest.mark.usefixtures("without_onnx")
def test_without_validation_and_test_images_it_says_so_and_still_delivers(
    recipe_file: Path, tmp_path: Path, discs: Path
) -> None:
    overrides = (f"data.root={discs / 'train'}", "data.validation=0", "data.test=0")
    record, said = run(recipe_file, tmp_path / "run", *overrides)
    assert record.accuracy is None
    assert record.training.best_epoch is None
    assert "no validation images" in said
    assert "no test images" in said
    assert "not measured" in (tmp_path / "run" / "huggingface" / "README.md").read_text()
    assert finetune.load(tmp_path / "run").predict(np.zeros((64, 64), np.uint8)).shape == (64, 64)


@pytest.mark.usefixtures("without_onnx")
def test_images_that_only_bear_the_name_of_a_data_set_are_not_called_so(
    recipe_file: Path, tmp_path: Path, discs: Path
) -> None:
    record, said = run(recipe_file, tmp_path / "run", "data.name=dsb2018", "training.epochs=1")
    assert "the images differ from the published data set dsb2018" in said
    assert (record.data.id, record.data.license, record.data.citation) == ("discs", None, [])
    assert (
        "dsb2018" not in (tmp_path / "run" / "huggingface" / "README.md").read_text().partition("## Data")[0]
    )


@pytest.mark.usefixtures("without_onnx")
def test_early_stopping_keeps_the_best_weights(recipe_file: Path, tmp_path: Path) -> None:
    record, _ = run(recipe_file, tmp_path / "run", "training.epochs=40", "training.patience=1")
    training = record.training
    assert training.stopped_early
    assert training.epochs < 40
    dices = [epoch.validation_dice for epoch in training.history]
    assert training.best_epoch == dices.index(max(dices)) + 1 < training.epochs
    import torch

    exported = load_file(tmp_path / "run" / "huggingface" / "model.safetensors")
    for name, same in (("best", True), ("last", False)):
        saved = torch.load(tmp_path / "run" / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
        equal = [np.array_equal(values, saved[f"network.{key}"]) for key, values in exported.items()]
        assert all(equal) == same, name
    seconds = [epoch.seconds for epoch in training.history]
    assert seconds[0] > 0 and seconds == sorted(seconds) and seconds[-1] == training.seconds


@pytest.mark.usefixtures("without_onnx")
def test_boundary_masks_and_three_channels(recipe_file: Path, tmp_path: Path, discs: Path) -> None:
    for path in discs.rglob("images/*.tif"):
        tifffile.imwrite(path, np.stack([tifffile.imread(path)] * 3, axis=-1), photometric="rgb")
    overrides = ("model.target=boundary", "data.labels=instances")
    record, _ = run(recipe_file, tmp_path / "run", *overrides)
    assert record.accuracy.dice_of == "boundary"
    assert record.model.channels == 3
    assert all(check.equal for check in record.exports)
    config = json.loads((tmp_path / "run" / "huggingface" / "config.json").read_text())
    assert config["target"]["name"] == "boundary"
