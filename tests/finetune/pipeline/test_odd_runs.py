"""Recipes and folders that a user may have: what a run states is what happened, and errors are one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from foreign import make_package
from typer.testing import CliRunner

import finetune
from cards.errors import InputError, RecipeError
from cards.record import RunRecord
from finetune.cli.console import print_table
from finetune.cli.main import app
from finetune.pipeline.first_recipe import Wishes, write_first_recipe
from finetune.pipeline.stop_request import request_stop

RECIPE = """\
model: {repository: wipp, name: unet, options: {width: 8, depth: 2}, target: foreground}
data: {root: images, validation: 0.2, test: 0.2}
training: {epochs: 1, batch_size: 2, patch: 64, learning_rate: 0.001}
card: {title: A small network, description: A test.}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with ten images in `images` and a recipe."""
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "images")
    (tmp_path / "r.yaml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def write_images(folder: Path, channels: int | None = None) -> Path:
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number in range(10):
        labels = np.zeros((64, 64), np.uint8)
        for label, (y, x) in enumerate(rng.integers(2, 50, (4, 2)), 1):
            labels[y : y + 10, x : x + 10] = label
        image = ((labels > 0) * 150 + rng.integers(0, 40, labels.shape)).astype(np.uint8)
        if channels:  # the cells are in the last two channels
            image = np.stack([*np.zeros((channels - 2, 64, 64), np.uint8), image, 255 - image])
        tifffile.imwrite(folder / "images" / f"{number}.tif", image, photometric="minisblack")
        tifffile.imwrite(folder / "masks" / f"{number}.tif", labels)
    return folder


def call(*arguments: str) -> str:
    """Output of a command that succeeds."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result
    return result.output


def test_a_run_from_the_path_of_a_package_states_what_happened(folder: Path) -> None:
    (folder / "secret home").mkdir()
    package = make_package(folder / "secret home")
    changes = {
        "model.repository": "bioimageio",
        "model.name": str(package),
        "model.options": "{}",
        "model.target": "foreground",
        "training.epochs": "3",
        "training.patience": "2",
        "training.learning_rate": "1e-6",
        "compute.precision": "16-mixed",
        "compute.accelerator": "cpu",
    }
    call("run", "r.yaml", *(f"{key}={value}" for key, value in changes.items()), "--out", "run")
    record = RunRecord.read(folder / "run")
    assert record.training.stopped_early == (record.training.epochs < 3)
    assert record.training.precision == "bf16-mixed"
    for path in ("record.json", "report.html", "huggingface/README.md", "huggingface/record.json"):
        assert "secret home" not in (folder / "run" / path).read_text(encoding="utf-8")
    pictures = {path.name for path in (folder / "run/huggingface/pictures").glob("example_*")}
    assert pictures == {"example_best.png", "example_worst.png"}
    assert [claim for claim in finetune.audit("run") if claim.verdict == "broken"] == []


def test_a_dry_run_replaces_what_the_run_would_replace(folder: Path) -> None:
    done = folder / "out[test]" / "r"
    done.mkdir(parents=True)
    (done / "record.json").write_text("no record", encoding="utf-8")
    printed = call("run", "r.yaml", "--dry-run", "--out", "new[/b]/r")
    assert "writes      new[/b]/r/" in printed and "preview     new[/b]/r.preview.png" in printed
    refused = CliRunner().invoke(app, ["run", "r.yaml", "--dry-run", "--overwrite", "--out", str(done)])
    assert isinstance(refused.exception, InputError)
    assert "--overwrite replaces only a finished run, and this folder has no" in str(refused.exception)


def test_names_in_brackets_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("written to", "runs/[x] y"), [("cell[red].tif", "1"), ("cell[/b].tif", "2")])
    printed = capsys.readouterr().out
    assert "runs/[x] y" in printed and "cell[red].tif" in printed and "cell[/b].tif" in printed


@pytest.mark.parametrize("name", ["20241030", "2024-10-30", "2024-30-10", "true", "1e3"])
def test_a_folder_may_have_a_number_or_a_date_as_its_name(folder: Path, name: str) -> None:
    (folder / "images").rename(folder / name)
    assert "r: valid" in call("validate", "r.yaml", f"data.root={name}")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epochs=2024-30-10", "the value is not valid YAML: month must be in 1..12"),
        ("compute.precision=64-true", "64-true is not supported; choose auto, 32-true, bf16-mixed"),
        ("compute.precision=transformer-engine", "compute"),
        ("compute.accelerator=tpu", "compute.accelerator: "),
        ("training.seed=18446744073709551616", "must be an integer from 0 to 4,294,967,295"),
    ],
)
def test_an_impossible_value_is_one_line(folder: Path, override: str, words: str) -> None:
    result = CliRunner().invoke(app, ["run", "r.yaml", override, "--dry-run"])
    assert isinstance(result.exception, InputError)
    assert words in str(result.exception) and "\n" not in str(result.exception)


def test_a_date_that_is_none_in_a_recipe(folder: Path) -> None:
    (folder / "r.yaml").write_text(RECIPE.replace("A small network", "2024-13-45"), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"r.yaml: not valid YAML: .*put text in quotation marks"):
        finetune.run("r.yaml")


@pytest.mark.parametrize("run", [".", "..", "/"])
def test_folders_that_are_no_runs_have_none_in_progress(folder: Path, run: str) -> None:
    with pytest.raises(InputError, match=r"no run is in progress here$|not a run folder"):
        request_stop(Path(run))


def test_a_first_recipe_uses_all_channels_that_differ(folder: Path) -> None:
    first = write_first_recipe(write_images(folder / "five", channels=5), Wishes(), "finetune run x.yaml")
    assert "channels: auto" in first.text and "5 different channels" in first.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "patch"),
    [("cellpose:cpsam", 224), ("huggingface:facebook/mask2former-swin-tiny-coco-instance", 64)],
)
def test_a_first_recipe_for_networks_with_requirements(folder: Path, model: str, patch: int) -> None:
    pytest.importorskip("cellpose" if "cellpose" in model else "transformers")
    first = write_first_recipe(folder / "images", Wishes(model=model), "finetune run x.yaml")
    assert f"patch: {patch}" in first.text


def test_the_command_that_init_prints_can_be_copied(folder: Path) -> None:
    (folder / "with space").mkdir()
    printed = call("init", "images", "--out", "with space/r.yaml")
    assert printed.strip().endswith("next: finetune run 'with space/r.yaml'")
