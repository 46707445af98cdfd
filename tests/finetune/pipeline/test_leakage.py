import csv
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from discs import RECIPE
from field import cut, make_field
from rich.console import Console

from cards.record import Origin, RunRecord
from finetune.pipeline.exposure import find_exposure
from finetune.pipeline.inputs import collect_inputs
from finetune.recipe.library import find_recipe
from finetune.recipe.reader import read_recipe

SIDE = 128
RUN = Path(__file__).parents[2] / "fixtures" / "0.2.0" / "run"


def write_fields(root, seeds, rows=1, columns=3):
    """Each field of view cut into tiles; names do not tell the field."""
    tiles = [
        tile for seed in seeds for tile in cut(make_field(rows * SIDE, columns * SIDE, seed), SIDE).values()
    ]
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    order = np.random.default_rng(0).permutation(len(tiles))
    for index, number in enumerate(order):
        tifffile.imwrite(root / "images" / f"{index:02}.tif", tiles[number][0])
        tifffile.imwrite(root / "masks" / f"{index:02}.tif", (tiles[number][0] > 40).astype(np.uint16))
    return [int(number) // (rows * columns) for number in order]


def recipe_of(folder, root, split="random"):
    path = folder / "recipe.yaml"
    text = RECIPE.replace("root: ROOT", f"root: {root}\n  labels: foreground\n  split: {split}")
    path.write_text(text)
    return read_recipe(path)


def inputs_of(tmp_path, split):
    fields = write_fields(tmp_path / split, range(6))
    recipe = recipe_of(tmp_path, tmp_path / split, split)
    data = recipe.data.model_copy(update={"validation": 0.2, "test": 0.2})
    recipe = recipe.model_copy(update={"data": data})
    return fields, collect_inputs(recipe, "instances", Console(quiet=True))


def test_a_random_split_reports_adjacent_test_images(tmp_path):
    _, inputs = inputs_of(tmp_path, "random")
    assert {relation.kind for relation in inputs.leakage.relations} == {"same field"}
    assert inputs.leakage.related("test")
    assert any("test images" in line and "same field of view" in line for line in inputs.warnings)
    assert any("data.split=by-field" in line for line in inputs.warnings)


def test_a_split_by_field_has_no_related_images(tmp_path):
    fields, inputs = inputs_of(tmp_path, "by-field")
    assert inputs.leakage.relations == []
    assert not any("related" in line for line in inputs.warnings)
    splits = {}
    for field, pair, file in zip(fields, inputs.pairs, inputs.files, strict=True):
        assert splits.setdefault(field, pair.split) == pair.split == file.split
    assert sorted(splits.values()) == ["test", "train", "train", "train", "train", "validation"]
    assert "3 of 18 images in 1 whole field of view" in inputs.split_by


def inputs_with_test_images(root, folder, **data):
    recipe = recipe_of(folder, root, "by-field")
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update=data)})
    return collect_inputs(recipe, "instances", Console(quiet=True))


def test_with_test_images_provided_validation_takes_whole_fields_without_them(tmp_path):
    fields = write_fields(tmp_path / "train", range(6))
    given = fields.index(2)  # a tile of field 2, and of no other, goes to the test images
    for kind in ("images", "masks"):
        (tmp_path / "test" / kind).mkdir(parents=True)
        tile = tmp_path / "train" / kind / f"{given:02}.tif"
        tile.rename(tmp_path / "test" / kind / tile.name)
    inputs = inputs_with_test_images(tmp_path, tmp_path, validation=0.35)
    splits = {}
    for pair in inputs.pairs:
        splits.setdefault(fields[int(pair.name)], []).append(pair.split)
    assert sorted(splits.pop(2)) == ["test", "train", "train"]
    assert sorted(splits.values()) == [["train"] * 3] * 3 + [["validation"] * 3] * 2
    assert {relation.split for relation in inputs.leakage.relations} == {"test"}
    assert any("1 of 1 test images is related" in line for line in inputs.warnings)
    assert not any("validation" in line for line in inputs.warnings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "name", "images"),
    [("FINETUNE_DSB2018", "dsb2018", (402, 45, 50)), ("FINETUNE_MDCK_ZO1", "mdck_zo1", (140, 20, 40))],
)
def test_recipes_of_named_data_sets_validate_on_whole_fields(variable, name, images, tmp_path):
    root = os.environ.get(variable)
    if not root:
        pytest.skip(f"{variable}: folder with the data set {name}")
    recipe = find_recipe({"dsb2018": "unet_nuclei", "mdck_zo1": "unet_boundary"}[name], [f"data.root={root}"])
    inputs = collect_inputs(recipe, "boundary" if name == "mdck_zo1" else "instances", Console(quiet=True))
    assert inputs.named is not None  # pixel for pixel
    split = {pair.image.stem: pair.split for pair in inputs.pairs}
    counts = Counter(split.values())
    assert (counts["train"], counts["validation"], counts["test"]) == images
    assert inputs.leakage.related("validation") == set()
    if name == "dsb2018":  # seams that were found in another way
        with (Path(root) / "touching.csv").open() as file:
            seams = [(split[row["image_a"]], split[row["image_b"]]) for row in csv.DictReader(file)]
        assert {one == other for one, other in seams if "validation" in (one, other)} == {True}
    else:  # the field is the first part of the name
        fields = {stem.rpartition("_r")[0] for stem, where in split.items() if where == "validation"}
        assert {split[stem] for stem in split if stem.rpartition("_r")[0] in fields} == {"validation"}


def test_a_base_model_that_is_a_run_is_compared_by_the_pixels_of_its_images():
    record = RunRecord.read(RUN)
    base = record.model.base.model_copy(update={"weights": "pretrained"})

    def exposure(split, checkpoint=RUN):
        """Exposure of a run that tests on the images of a split of its base model."""
        moved = [f.model_copy(update={"split": "test"}) for f in record.data.files if f.split == split]
        return find_exposure(base, None, moved, checkpoint)

    assert exposure("train").exposure == "seen"
    assert "4 of 4 test images" in exposure("train").source
    assert exposure("validation").exposure == "selected on"
    assert exposure("test").exposure == "not seen"
    assert exposure("test", RUN / "huggingface" / "model.safetensors") == exposure("test")
    assert exposure("test", None) == exposure("test", RUN.parent / "labels") == ("unknown", "")


def published_exposure(repository, model, data="dsb2018", checkpoint=None, **more):
    origin = Origin(repository=repository, id=model, weights="pretrained", **more)
    return find_exposure(origin, data, [], checkpoint)


def test_published_exposure_counts_for_the_named_data_set_only():
    assert published_exposure("stardist", "2D_paper_dsb2018").exposure == "not seen"
    assert published_exposure("stardist", "2D_paper_dsb2018", data=None).exposure == "unknown"
    assert published_exposure("stardist", "2D_paper_dsb2018", data="mdck_zo1") == ("unknown", "")


@pytest.mark.parametrize(
    ("repository", "model"),
    [
        ("sam2", "sam2.1-hiera-large"),
        ("huggingface", "facebook/sam-vit-huge"),
        ("huggingface", "nvidia/mit-b2"),
        ("torchvision", "lraspp_mobilenet_v3_large"),
    ],
)
@pytest.mark.parametrize("data", ["dsb2018", "mdck_zo1"])
def test_models_trained_on_photographs_have_not_seen_micrographs(repository, model, data):
    found = published_exposure(repository, model, data)
    assert found.exposure == "not seen" and "photographs" in found.source and "https://" in found.source


@pytest.mark.parametrize("model", ["nuclei", "cyto3", "cpsam"])
def test_a_publication_that_names_no_images_leaves_the_exposure_unknown_with_its_source(model):
    found = published_exposure("cellpose", model)
    assert found.exposure == "unknown" and "Data Science Bowl" in found.source and "doi.org" in found.source
    assert published_exposure("cellpose", model, "mdck_zo1") == ("unknown", "")


@pytest.mark.parametrize(
    "package",
    ["affable-shark", "affable-shark/1.2", "10.5281/zenodo.5764892/6647674", "10.5281/zenodo.5764892"],
)
def test_a_package_is_known_by_its_id_in_every_version(package, tmp_path):
    found = published_exposure(
        "bioimageio",
        "NucleiSegmentationBoundaryModel",
        checkpoint=tmp_path / "package",
        bioimageio_id=package,
    )
    assert found.exposure == "selected on" and "train_boundaries.py" in found.source


def test_a_file_of_weights_is_not_known_by_the_name_of_a_model(tmp_path):
    found = published_exposure("stardist", "2D_paper_dsb2018", checkpoint=tmp_path / "weights.h5")
    assert found == ("unknown", "")
