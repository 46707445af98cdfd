"""`finetune annotate-next` on DSB 2018, of which many images are adjacent tiles of one field of view."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
import tifffile
from scipy.stats import spearmanr
from typer.testing import CliRunner

from finetune.cli.main import app
from finetune.metrics.dice import dice

LEARNED, UNLABELED = 24, 60
SETTINGS = (
    "model.options.width=8", "training.epochs=2", "training.images_per_epoch=60", "training.patch=96",
    "evaluation.check_images=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def nuclei() -> Path:
    root = os.environ.get("FINETUNE_DSB2018")
    if not root:
        pytest.skip("FINETUNE_DSB2018: folder with train/, test/ and touching.csv")
    return Path(root)


@pytest.fixture(scope="module")
def adjacent(nuclei: Path) -> list[tuple[str, str]]:
    """Pairs of adjacent tiles among the training images."""
    with (nuclei / "touching.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split_a"] == row["split_b"] == "train"]
    return [(row["image_a"], row["image_b"]) for row in rows]


@pytest.mark.slow
def test_suggestions_are_hard_images_that_the_model_has_not_seen_and_not_neighbors(
    nuclei: Path, adjacent: list[tuple[str, str]], tmp_path: Path
) -> None:
    tiles = list(dict.fromkeys(name for pair in adjacent for name in pair))
    learned, unlabeled = tiles[:LEARNED], tiles[LEARNED : LEARNED + UNLABELED]
    for name in learned:
        for kind in ("images", "masks"):
            (tmp_path / "data" / kind).mkdir(parents=True, exist_ok=True)
            (tmp_path / "data" / kind / f"{name}.tif").symlink_to(nuclei / "train" / kind / f"{name}.tif")
    run = tmp_path / "run"
    data = ("data.name=null", f"data.root={tmp_path / 'data'}", "data.labels=instances")
    done = CliRunner().invoke(app, ["run", "quickstart", "--out", str(run), *data, *SETTINGS])
    assert done.exit_code == 0, done.output
    images = [str(nuclei / "train" / "images" / f"{name}.tif") for name in learned[:5] + unlabeled]
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["annotate-next", str(run), *images, "--out", str(out), "--number", "15"])
    assert done.exit_code == 0, done.output

    with (out / "annotate-next.csv").open(newline="") as file:
        rows = {Path(row["image"]).stem: row for row in csv.DictReader(file)}
    assert set(rows) == {*learned[:5], *unlabeled}
    assert all("image of the run" in rows[name]["note"] for name in learned[:5])
    suggested = {name for name, row in rows.items() if row["rank"]}
    assert len(suggested) == 15 and suggested <= set(unlabeled)
    assert [pair for pair in adjacent if set(pair) <= suggested] == []

    labels = tmp_path / "labels"
    done = CliRunner().invoke(app, ["predict", str(run), *images[5:], "--out", str(labels)])
    assert done.exit_code == 0, done.output
    errors, disagreements = [], []
    for name in unlabeled:
        predicted = tifffile.imread(next(labels.glob(f"{name}*.tif")))
        reference = tifffile.imread(nuclei / "train" / "masks" / f"{name}.tif")
        errors.append(1 - dice(predicted, reference))
        disagreements.append(float(rows[name]["disagreement"]))
    assert spearmanr(errors, disagreements).statistic > 0.4
