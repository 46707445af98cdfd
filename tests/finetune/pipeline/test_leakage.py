from pathlib import Path

import numpy as np
import tifffile
from discs import RECIPE
from field import cut, make_field
from rich.console import Console

from cards.record import RunRecord
from finetune.pipeline.exposure import find_exposure
from finetune.pipeline.inputs import collect_inputs
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
    assert any("test images" in line and "same field" in line for line in inputs.warnings)
    assert any("data.split=by-field" in line for line in inputs.warnings)


def test_a_split_by_field_has_no_related_images(tmp_path):
    fields, inputs = inputs_of(tmp_path, "by-field")
    assert inputs.leakage.relations == []
    assert not any("related" in line for line in inputs.warnings)
    splits = {}
    for field, pair, file in zip(fields, inputs.pairs, inputs.files, strict=True):
        assert splits.setdefault(field, pair.split) == pair.split == file.split
    assert sorted(splits.values()) == ["test", "train", "train", "train", "train", "validation"]
    assert "3 of 18 images in 1 whole fields of view" in inputs.split_by


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


def test_published_exposure_counts_for_the_named_data_set_only(tmp_path):
    from cards.record import Origin

    origin = Origin(repository="stardist", id="2D_paper_dsb2018", weights="pretrained")
    assert find_exposure(origin, "dsb2018", [], None).exposure == "not seen"
    assert find_exposure(origin, None, [], None).exposure == "unknown"
