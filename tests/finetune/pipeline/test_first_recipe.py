"""`finetune init`: a recipe from images and masks, with the reason of each choice."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from discs import write_discs
from skimage.draw import disk
from typer.testing import CliRunner

from cards.errors import InputError
from finetune.cli.main import app
from finetune.pipeline.first_recipe import recipe_file
from finetune.recipe.reader import read_recipe
from finetune.recipe.schema import Recipe


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def init(*arguments: object) -> Recipe:
    """Write a recipe and read it."""
    done = CliRunner().invoke(
        app, ["init", *map(str, arguments), "--out", "mine.yaml"], catch_exceptions=False
    )
    assert done.stdout == "wrote mine.yaml; next: finetune run mine.yaml\n"
    return read_recipe("mine.yaml")


def write(folder: Path, masks: list[np.ndarray], channels: int = 1, equal: bool = False) -> Path:
    """Write masks and images of them."""
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for index, mask in enumerate(masks):
        planes = [mask > 0 if equal else (mask > 0) * (0.3 + 0.2 * channel) for channel in range(channels)]
        noise = rng.normal(0, 5, mask.shape) if equal else rng.normal(0, 5, (channels, *mask.shape))
        image = (20 + 150 * np.stack(planes) + noise).clip(0, 255).astype(np.uint8)
        shaped = image[0] if channels == 1 else np.moveaxis(image, 0, -1)
        tifffile.imwrite(
            folder / "images" / f"{index}.tif", shaped, photometric="rgb" if channels == 3 else None
        )
        tifffile.imwrite(folder / "masks" / f"{index}.tif", mask.astype(np.uint16))
    return folder


def separate(value: str = "instances", size: int = 64) -> list[np.ndarray]:
    """Discs that do not touch: each with a number, or all with one."""
    masks = []
    for shift in range(6):
        mask = np.zeros((size, size), int)
        for number, center in enumerate([(14, 14), (14, 46), (46, 14), (46, 46)], start=1):
            mask[disk((center[0] + shift, center[1] + shift % 3), 8)] = (
                number if value == "instances" else 255
            )
        masks.append(mask)
    return masks


def walls() -> list[np.ndarray]:
    """Lines that enclose cells."""
    masks = []
    for shift in range(6):
        mask = np.zeros((64, 64), int)
        mask[8 + shift :: 16] = mask[:, 8 + shift :: 16] = 255
        mask[9 + shift :: 16] = mask[:, 9 + shift :: 16] = 255
        masks.append(mask)
    return masks


def test_touching_convex_objects_become_polygons(discs: Path) -> None:
    recipe = init(discs, "--minutes", 0.5)
    assert (recipe.model.repository, recipe.model.name, recipe.model.target) == ("stardist", "unet", "rays")
    assert recipe.model.options["foreground"] and recipe.model.target_options["foreground"]
    assert recipe.data.labels == "instances"
    text = Path("mine.yaml").read_text()
    assert "of the objects touch another one, and they are convex" in text
    assert "px: the resolution is halved" in text
    assert "measured with noise" in text


def test_objects_that_do_not_touch_need_a_boundary_only(tmp_path: Path) -> None:
    recipe = init(write(tmp_path / "data", separate()), "--minutes", 0.1)
    assert (recipe.model.name, recipe.model.target) == ("unet", "foreground_boundary")


def test_masks_with_one_value_are_a_foreground(tmp_path: Path) -> None:
    recipe = init(write(tmp_path / "data", separate("foreground")), "--minutes", 0.1)
    assert (recipe.data.labels, recipe.model.target) == ("foreground", "foreground")


def test_class_masks_are_a_foreground_whose_classes_are_not_distinguished(tmp_path: Path) -> None:
    masks = [np.where(mask > 2, 2, np.minimum(mask, 1)) for mask in separate(size=64)]
    tiled = [np.tile(mask, (2, 2)) for mask in masks]
    assert init(write(tmp_path / "data", tiled), "--minutes", 0.1).data.labels == "foreground"
    text = " ".join(Path("mine.yaml").read_text().replace("#", "").split())
    assert "the masks hold 2 classes (6 of 6 masks were read)" in text
    assert "Warning: the masks hold 2 classes, and all of them become foreground" in text


def test_labels_that_some_objects_share_are_no_classes(tmp_path: Path) -> None:
    masks = []
    for mask in separate():
        tiled = np.block(
            [[mask + 4 * (3 * row + column) * (mask > 0) for column in range(3)] for row in range(3)]
        )
        masks.append(
            np.where(tiled > 28, tiled - 28, tiled)
        )  # as labels of too few bits: 8 of 36 start again
    assert init(write(tmp_path / "data", masks), "--minutes", 0.1).data.labels == "instances"


def test_thin_lines_are_boundaries(tmp_path: Path) -> None:
    recipe = init(write(tmp_path / "data", walls()), "--minutes", 0.1)
    assert (recipe.data.labels, recipe.model.target) == ("boundary", "boundary")


@pytest.mark.parametrize(("equal", "channels"), [(True, "gray"), (False, "auto")])
def test_color_counts_only_if_the_channels_differ(tmp_path: Path, equal: bool, channels: str) -> None:
    data = write(tmp_path / "data", separate(), channels=3, equal=equal)
    assert init(data, "--minutes", 0.1).data.channels == channels


def test_related_images_stay_in_one_split(tmp_path: Path) -> None:
    write_discs(tmp_path / "data", 6)
    for kind in ("images", "masks"):
        shutil.copy(tmp_path / "data" / kind / "disc_00.tif", tmp_path / "data" / kind / "copy.tif")
    assert init(tmp_path / "data", "--minutes", 0.1).data.split == "by-field"
    assert "split them with" not in Path("mine.yaml").read_text()  # it does


def test_more_time_is_more_training(discs: Path, tmp_path: Path) -> None:
    steps = []
    for minutes in (0.1, 60):
        training = init(discs, "--minutes", minutes).training
        steps.append(training.epochs * (training.images_per_epoch or 10) / training.batch_size)
        Path("mine.yaml").unlink()
    assert steps[0] < steps[1]


@pytest.mark.parametrize(
    ("arguments", "model", "target"),
    [
        (["--pretrained"], ("cellpose", "cyto3"), "flows"),
        (["--pretrained", "--license", "commercial"], ("stardist", "unet"), "rays"),
        (["--model", "stardist:unet"], ("stardist", "unet"), "rays"),
        (["--model", "affable-shark"], ("bioimageio", "affable-shark"), "foreground_boundary"),
        (["--model", "torchvision:shufflenet_v2_x1_0"], ("torchvision", "shufflenet_v2_x1_0"), "rays"),
    ],
)
def test_wishes_decide_the_model(
    discs: Path, arguments: list[str], model: tuple[str, str], target: str
) -> None:
    recipe = init(discs, "--minutes", 0.1, *arguments)
    assert (recipe.model.repository, recipe.model.name) == model
    assert recipe.model.target == target


@pytest.mark.slow
def test_the_recipe_runs_to_its_end(discs: Path, command) -> None:
    init(discs, "--minutes", 0.1)
    dry = command("run", "mine.yaml", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    done = command("run", "mine.yaml")
    assert done.returncode == 0, done.stderr
    assert "Dice" in done.stdout


def test_a_table_is_data_too(discs: Path) -> None:
    rows = ["image,label"] + [f"images/disc_0{i}.tif,masks/disc_0{i}.tif" for i in range(6)]
    (discs / "train" / "pairs.csv").write_text("\n".join(rows))
    assert init(discs / "train" / "pairs.csv", "--minutes", 0.1).data.csv == discs / "train" / "pairs.csv"


def test_the_images_may_be_in_the_home_folder(discs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(discs.parent))
    assert init(f"~/{discs.name}").data.root == discs


def test_nothing_is_overwritten(discs: Path) -> None:
    Path("mine.yaml").write_text("my own")
    with pytest.raises(InputError, match="mine.yaml: exists; choose another file with --out"):
        init(discs)
    assert Path("mine.yaml").read_text() == "my own"


def remove_masks(folder: Path) -> None:
    shutil.rmtree(folder / "train" / "masks")


def remove_a_mask(folder: Path) -> None:
    (folder / "train" / "masks" / "disc_03.tif").unlink()


def remove_everything(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def blacken(folder: Path) -> None:
    for mask in folder.rglob("masks/*.tif"):
        tifffile.imwrite(mask, np.zeros((64, 64), np.uint8))


def soften(folder: Path) -> None:
    for mask in folder.rglob("masks/*.tif"):
        tifffile.imwrite(mask, np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8))


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (remove_masks, [], "holds images/ but no masks/"),
        (remove_a_mask, [], "1 of 10 images have no mask: disc_03.tif"),
        (remove_everything, [], "holds no images: neither images/ and masks/"),
        (shutil.rmtree, [], "no such folder"),
        (blacken, [], "all masks hold background only"),
        (soften, [], "holds gray levels instead of labels"),
        (None, ["--model", "alexnet"], "torchvision:alexnet: cannot be fine-tuned"),
        (None, ["--model", "cyto3", "--license", "commercial"], "its license is BSD-3-Clause; whether it is"),
        (None, ["--model", "cyto33"], "unknown model 'cyto33'"),
        (None, ["--out", "a b.yaml"], "not a name of a recipe"),
        (None, ["--out", "recipe.txt"], "not a name of a recipe"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(discs: Path, change, arguments, message: str) -> None:
    if change:
        change(discs)
    with pytest.raises(InputError) as error:
        CliRunner().invoke(app, ["init", str(discs), *arguments], catch_exceptions=False)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert not list(Path().glob("*.yaml"))


def test_bad_input_ends_with_exit_code_2(command) -> None:
    done = command("init", "nowhere")
    expected = "finetune: nowhere: no such folder; give the folder that holds the images and masks\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_a_folder_name_with_dots_is_kept_whole(tmp_path: Path) -> None:
    write(tmp_path / "2024.05.12_nuclei", separate())
    recipe = init(tmp_path / "2024.05.12_nuclei", "--minutes", 0.1)
    assert recipe.card.title.endswith("for 2024.05.12_nuclei")
    assert recipe_file(tmp_path / "2024.05.12_nuclei", None) == Path("2024.05.12_nuclei.yaml")
