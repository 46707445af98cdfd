import csv
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import tifffile
from field import cut, make_field

from cards.evidence import Leakage, Relation
from finetune.data.fields import find_seams, read_borders
from finetune.data.images import read_image
from finetune.data.keypoints import orient
from finetune.data.relations import leakage_warnings, relate_images

SIDE = 128


def test_each_test_image_is_related_to_the_closest_training_image(tmp_path):
    tiles = cut(make_field(2 * SIDE, 2 * SIDE), SIDE)
    others = {f"other{i}": make_field(SIDE, SIDE, 10 + i) for i in range(6)}
    train = {"r0c0": tiles["r0c0"], "r1c1": tiles["r1c1"], **others}
    test = {
        "adjacent": tiles["r0c1"],
        "same": others["other1"],
        "turned": orient(others["other2"], 3),
        "part": others["other3"][:, 10:90, 20:110],
        "unrelated": make_field(SIDE, SIDE, 30),
    }
    images = {("train", name): image for name, image in train.items()}
    images |= {("test", name): image for name, image in test.items()}
    paths = {}
    for index, (key, image) in enumerate(images.items()):
        paths[key] = tmp_path / f"{index}.tif"
        tifffile.imwrite(paths[key], image[0])
    seen = []
    leakage = relate_images(paths, lambda *done: seen.append(done))
    assert {one.image: (one.related_to, one.kind) for one in leakage.relations} == {
        "adjacent": (leakage.relations[0].related_to, "same field"),
        "same": ("other1", "exact"),
        "turned": ("other2", "near"),
        "part": ("other3", "crop"),
    }
    assert leakage.relations[0].related_to in {"r0c0", "r1c1"}
    assert "border continues, correlation 0.9" in leakage.relations[0].evidence
    assert "rotation by 270°" in leakage.relations[2].evidence
    assert seen[-1] == (len(images), len(images))
    assert relate_images({key: lambda i=i: i for key, i in images.items()}) == leakage


def test_relations_within_a_split_are_no_leakage():
    tiles = cut(make_field(SIDE, 2 * SIDE), SIDE)
    images = {("test", name): lambda tile=tile: tile for name, tile in tiles.items()}
    assert relate_images(images).relations == []


def test_the_warning_counts_related_images_by_split_and_kind():
    relations = [
        Relation(image=str(i), split="test", related_to="a", kind=kind, evidence="")
        for i, kind in enumerate(["same field", "exact", "same field"])
    ]
    relations.append(Relation(image="v", split="validation", related_to="a", kind="crop", evidence=""))
    lines = leakage_warnings(Leakage(method="", relations=relations), {"test": 9, "validation": 4}, "do this")
    assert lines == [
        "3 of 9 test images are related to a training image (1 identical, 2 in the same field of view): "
        "accuracy on them is not independent of training",
        "1 of 4 validation images is related to a training image (1 cropped): the selected epoch and "
        "options are not independent of training; do this",
    ]


@pytest.mark.slow
def test_adjacent_tiles_of_dsb2018():
    root = os.environ.get("FINETUNE_DSB2018")
    if not root:
        pytest.skip("FINETUNE_DSB2018: folder with train/, test/ and touching.csv")
    paths = {path.stem: path for path in sorted(Path(root).glob("t*/images/*.tif"))}
    split = {name: path.parent.parent.name for name, path in paths.items()}
    names, borders = list(paths), [read_borders(read_image(path)) for path in paths.values()]
    seams = find_seams(borders)
    found = defaultdict(set)
    for seam in seams:
        one, two = names[seam.first], names[seam.second]
        found[one].add(two)
        found[two].add(one)
    with (Path(root) / "touching.csv").open() as file:
        known = {(row["image_a"], row["image_b"]) for row in csv.DictReader(file)}
    across = {
        pair
        for a, b in known
        for pair in ((a, b), (b, a))
        if [split[name] for name in pair] == ["test", "train"]
    }
    assert len(across) == 54
    assert all(train in found[test] for test, train in across)
    assert len({test for test, _ in across}) == 36
    assert find_seams(borders, control="not facing") == []
    assert len(find_seams(borders, control="backwards")) <= 1


@pytest.mark.slow
def test_file_names_of_mdck_tiles_confirm_the_seams():
    root = os.environ.get("FINETUNE_MDCK_ZO1")
    if not root:
        pytest.skip("FINETUNE_MDCK_ZO1: folder with train/ and test/, tiles named by row and column")
    paths = sorted(Path(root).glob("t*/images/*.tif"))
    place = {}
    for index, path in enumerate(paths):
        field, _, at = path.stem.rpartition("_r")
        row, _, column = at.partition("c")
        place[field, int(row), int(column)] = index
    expected = set()
    for (field, row, column), index in place.items():
        for other in (place.get((field, row, column + 1)), place.get((field, row + 1, column))):
            expected |= {(index, other)} if other is not None else set()
    seams = find_seams([read_borders(read_image(path)) for path in paths])
    assert {(seam.first, seam.second) for seam in seams} == expected
    assert np.unique([seam.edge_of_first for seam in seams]).tolist() == ["bottom", "right"]
