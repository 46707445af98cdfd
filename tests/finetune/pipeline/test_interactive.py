"""A complete interactive run."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from clean_audit import assert_nothing_broken
from rich.console import Console
from sam2.build_sam import build_sam2

import finetune
from cards.errors import InputError
from cards.record import RunRecord
from finetune.pipeline.dry_run import dry_run
from finetune.recipe.reader import read_recipe

TINY = "sam2.1-hiera-tiny"
RECIPE = [
    "model.repository=sam2",
    f"model.name={TINY}",
    "model.options={image_size: 64}",
    "model.target=prompts",
    "model.target_options={instances: 3, corrections: 1}",
    "model.pretrained=false",
    "data.validation=0.2",
    "evaluation.automatic_images=0",
    "training.images_per_epoch=4",
    "training.batch_size=2",
    "training.epochs=1",
]


@pytest.fixture
def prompts_file(recipe_file: Path) -> Path:
    """The recipe of the discs, which says nothing of a patch."""
    recipe_file.write_text(recipe_file.read_text().replace("  patch: 32\n", ""))
    return recipe_file


def run(file: Path, out: Path, *changes: str, resume: bool = False) -> tuple[RunRecord, str]:
    console = Console(file=io.StringIO(), width=200)
    record = finetune.run(read_recipe(file, [*RECIPE, *changes]), out=out, console=console, resume=resume)
    return record, console.file.getvalue()


def test_a_run_leaves_what_it_should(prompts_file: Path, tmp_path: Path) -> None:
    record, said = run(prompts_file, tmp_path / "run", "model.adapt=head")
    assert "validation IoU 0." in said
    assert [score.kind for score in record.prompts] == ["point", "point + 1 correction", "box"]
    assert all(len(score.images) == 3 and score.before is None for score in record.prompts)
    assert (record.accuracy, record.timing) == (None, None)
    assert record.task == "interactive"
    assert record.training.patch == 64
    assert record.training.history[0].validation_iou is not None
    assert record.training.history[0].validation_dice is None
    assert record.training.best_epoch == 1
    assert_nothing_broken(tmp_path / "run", tmp_path / "discs")
    assert record.model.trainable < 5e6 < 27e6 < record.model.parameters
    paths = {check.artifact for check in record.exports}
    assert paths == {"huggingface/model.safetensors", f"native/{TINY}_finetuned.pt"}
    assert all(check.equal for check in record.exports)
    folder = tmp_path / "run"
    assert not (folder / "bioimageio").exists()
    card = (folder / "huggingface" / "README.md").read_text()
    assert "There is no BioImage.IO package: the format cannot express prompts." in card
    assert "| box | untrained | " in card
    assert "<img" in (folder / "report.html").read_text()
    assert len((folder / "scores.csv").read_text().splitlines()) == 1 + 3 * 3
    image = np.random.default_rng(0).random((64, 64))
    model = finetune.load(folder)
    assert model.masks(image, boxes=[(5, 5, 20, 20)]).shape == (1, 64, 64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["model.repository=wipp", "model.name=unet"], "model.target=prompts requires a promptable network"),
        (
            ["model.target_options={instances: none}"],
            "model.target_options.instances: must be an integer ≥ 1, got 'none'",
        ),
        (["model.adapt=heat"], "model.adapt: unknown adapter 'heat'; did you mean head?"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_read(
    changes: list[str], message: str, prompts_file: Path
) -> None:
    with pytest.raises(InputError) as error:
        read_recipe(prompts_file, [*RECIPE, *changes])
    assert message in str(error.value)


def test_a_patch_of_another_size_is_refused(prompts_file: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"training.patch: 96; with prompts each image is resized to a square"
    ):
        run(prompts_file, tmp_path / "run", "training.patch=96")
    assert not (tmp_path / "run").exists()


def test_what_a_run_would_do(prompts_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dry_run(read_recipe(prompts_file, RECIPE), tmp_path / "run")
    shown = capsys.readouterr().out
    assert "prompts (one mask per prompt)" in shown
    assert "not estimated" in shown
    assert "huggingface/ native/" in shown


@pytest.mark.slow
def test_a_tuned_model_is_asked_before_and_after_and_labels_by_itself(
    prompts_file: Path, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    start = tmp_path / "sam2.1_hiera_tiny.pt"
    torch.save({"model": build_sam2("configs/sam2.1/sam2.1_hiera_t.yaml", device="cpu").state_dict()}, start)
    changes = [f"model.checkpoint={start}", "evaluation.automatic_images=1", "model.adapt=lora"]
    record, _ = run(prompts_file, tmp_path / "run", *changes)
    assert all(score.before is not None for score in record.prompts)
    assert record.model.base.weights == "pretrained" and record.model.base.part is None
    assert record.accuracy.images == 1 and record.accuracy.before is not None
    assert record.accuracy.labeled_by.startswith("SAM2AutomaticMaskGenerator")
    assert record.timing.images == 1 and record.timing.network_seconds is None
    config = json.loads((tmp_path / "run" / "huggingface" / "config.json").read_text())
    assert config["target"]["name"] == "prompts"
    labels = finetune.load(tmp_path / "run").predict(np.random.default_rng(0).random((64, 64)))
    assert labels.shape == (64, 64) and labels.dtype == np.int32
