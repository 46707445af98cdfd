"""`finetune annotate-next`: which images to annotate, as lines, a table and a page."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from saved_model import save_small_model
from typer.testing import CliRunner

from cards.errors import InputError
from finetune.cli.main import app

RELEASE = Path(__file__).parents[2] / "fixtures" / "0.2.0"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that was not trained, without a record."""
    return save_small_model(tmp_path_factory.mktemp("model"))


def write_images(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate(names):
        pixels = np.random.default_rng(seed).integers(0, 255, (40, 48)).astype(np.uint8)
        tifffile.imwrite(folder / name, pixels)
    return folder


def suggest(*arguments: object):
    return CliRunner().invoke(app, ["annotate-next", *map(str, arguments)])


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "annotate-next.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_lines_table_and_page_name_the_same_images(model: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", "a.tif", "b.tif", "c.tif")
    result = suggest(model, images, "--out", tmp_path / "out", "--number", 2)
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    table = rows(tmp_path / "out")
    assert [line[0] for line in lines] == ["1", "2"] == [row["rank"] for row in table[:2]]
    assert [Path(line[1]).name for line in lines] == [row["image"] for row in table[:2]]
    assert len(table) == 3 and table[2]["rank"] == ""
    scores = [float(row["score"]) for row in table]
    assert scores == sorted(scores, reverse=True) and scores[0] > 0
    page = (tmp_path / "out" / "annotate-next.html").read_text("utf-8")
    assert re.findall(r"<h2>(\d)\. (.)\.tif</h2>", page) == [
        (row["rank"], row["image"][0]) for row in table[:2]
    ]
    assert "Distance was not measured: the model has no record" in page
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "annotate-next.csv",
        "annotate-next.html",
    ]


def test_images_of_the_run_are_left_out_and_an_old_record_has_no_distance(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", "new.tif")
    for split in ("train", "test"):
        source = next((RELEASE / "discs" / split / "images").iterdir())
        tifffile.imwrite(images / f"{split}.tif", tifffile.imread(source), compression="zlib")
    result = suggest(RELEASE / "run", images, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    notes = {row["image"]: row["note"] for row in rows(tmp_path / "out")}
    assert notes["new.tif"] == ""
    assert re.match("is a (training|validation) image of the run", notes["train.tif"])
    assert notes["test.tif"].startswith("is a test image of the run: trained on, it would")
    assert len(result.stdout.splitlines()) == 1 and result.stdout.endswith("\tnot measured\n")
    assert "the record holds no statistics of the training images" in result.stderr
    assert "2 images already annotated for the run" in result.stderr


def test_copies_of_a_suggestion_are_not_suggested(model: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", "a.tif", "b.tif")
    tifffile.imwrite(images / "copy.tif", tifffile.imread(images / "a.tif"), compression="zlib")
    assert suggest(model, images, "--out", tmp_path / "out").exit_code == 0
    table = rows(tmp_path / "out")
    assert [row["rank"] for row in table] == ["1", "2", ""]
    assert re.match(r"shows the same as (a|copy)\.tif \(equal pixels\)", table[2]["note"])


def test_a_bad_image_is_named_and_the_others_are_scored(model: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", "a.tif", "bad.tif")
    (images / "bad.tif").write_bytes((images / "bad.tif").read_bytes()[:60])
    tifffile.imwrite(images / "rgb.tif", np.zeros((32, 32, 3), np.uint8), photometric="rgb")
    result = suggest(model, images, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1
    assert f"finetune: {images / 'bad.tif'}: " in result.stderr
    assert "the image has 3 channels; this model takes 1" in result.stderr
    assert result.stderr.splitlines()[-1] == "finetune: 2 of 3 images failed: bad.tif, rgb.tif"
    assert [bool(row["note"]) for row in rows(tmp_path / "out")] == [False, True, True]


def test_only_bad_images_are_one_error(model: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "bad.tif").write_bytes(b"II*\0")
    result = suggest(model, tmp_path / "images", "--out", tmp_path / "out")
    assert isinstance(result.exception, InputError) and "bad.tif" in str(result.exception)
    assert not (tmp_path / "out").exists()
    (tmp_path / "empty").mkdir()
    assert "contains no images" in str(suggest(model, tmp_path / "empty").exception)


def test_earlier_results_are_kept(model: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", "a.tif")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "annotate-next.csv").write_text("mine")
    # Noticed before the model is looked for.
    error = suggest(tmp_path / "nowhere", images, "--out", tmp_path / "out").exception
    assert "annotate-next.csv: exists; choose another folder with --out" in str(error)
    assert (tmp_path / "out" / "annotate-next.csv").read_text() == "mine"


def test_of_a_large_image_the_center_is_scored(model: Path, tmp_path: Path) -> None:
    pixels = np.zeros((16, 2100), np.uint8)
    pixels[:, 26:2074] = np.random.default_rng(0).integers(0, 255, (16, 2048))
    tifffile.imwrite(tmp_path / "large.tif", pixels)
    tifffile.imwrite(tmp_path / "center.tif", pixels[:, 26:2074])
    for name in ("large", "center"):
        assert suggest(model, tmp_path / f"{name}.tif", "--out", tmp_path / name).exit_code == 0
    (large,), (center,) = rows(tmp_path / "large"), rows(tmp_path / "center")
    assert large["note"] == "the center of 2048 × 2048 pixels was scored"
    assert large["disagreement"] == center["disagreement"]


def test_names_are_shown_as_text_and_are_no_formulas(model: Path, tmp_path: Path) -> None:
    name = "=1+<img src=x onerror=alert(1)>.tif"
    images = write_images(tmp_path / "images", name, "plain\n.tif")
    result = suggest(model, images, "--out", tmp_path / "out")
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 2
    page = (tmp_path / "out" / "annotate-next.html").read_text("utf-8")
    assert "<img src=x" not in page and "=1+&lt;img src=x onerror=alert(1)&gt;.tif" in page
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page and "<script" not in page
    assert {row["image"][0] for row in rows(tmp_path / "out")} == {"'", "p"}
