"""`finetune predict` from the command line: its output is for programs, and a bad image does not end it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from saved_model import save_small_model
from typer.testing import CliRunner

from cards.errors import InputError
from finetune.cli.main import app

IMAGE = np.random.default_rng(0).integers(0, 255, (32, 40)).astype(np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that was not trained."""
    return save_small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", IMAGE)
    tifffile.imwrite(folder / "b.tif", IMAGE)
    return folder


def predict(*arguments: object):
    return CliRunner().invoke(app, ["predict", *map(str, arguments)])


def test_one_line_for_each_image_however_long_its_path(model: Path, images: Path, tmp_path: Path) -> None:
    name = "a name with spaces " + "y" * 150
    (images / "b.tif").rename(images / f"{name}.tif")
    result = predict(model, images, "--out", tmp_path / "labels")
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert {path for path, _ in lines} == {str(tmp_path / "labels" / f"{stem}.tif") for stem in ("a", name)}
    assert all(count.split()[1] == "instances" and int(count.split()[0]) >= 0 for _, count in lines)
    assert result.stderr == ""


def test_a_bad_image_is_named_and_listed_and_the_others_are_segmented(
    model: Path, images: Path, tmp_path: Path
) -> None:
    (images / "a.tif").write_bytes((images / "a.tif").read_bytes()[:40])
    tifffile.imwrite(images / "c.tif", np.stack([IMAGE] * 3, -1), photometric="rgb")
    result = predict(model, images, "--out", tmp_path / "labels")
    assert result.exit_code == 1
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == ["b.tif", "prediction.json"]
    first, second, last = result.stderr.splitlines()
    assert first.startswith(f"finetune: {images / 'a.tif'}: ")
    assert second.startswith(f"finetune: {images / 'c.tif'}: the image has 3 channels; this model takes 1")
    assert last == "finetune: 2 of 3 images failed: a.tif, c.tif"


def test_json_has_one_object_for_each_image_also_for_bad_ones(
    model: Path, images: Path, tmp_path: Path
) -> None:
    (images / "a.tif").write_text("no image")
    result = predict(model, images, "--out", tmp_path / "labels", "--json")
    bad, good = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 1
    assert bad["image"] == str(images / "a.tif") and bad["labels"] is None and "a.tif" in bad["error"]
    assert good["labels"] == str(tmp_path / "labels" / "b.tif") and good["error"] is None
    assert good["instances"] == tifffile.imread(good["labels"]).max() and good["seconds"] > 0


def test_control_characters_in_a_name_do_not_break_a_line(model: Path, images: Path, tmp_path: Path) -> None:
    (images / "b.tif").rename(images / "new\nline\tand \x1b[31m.tif")
    result = predict(model, images, "--out", tmp_path / "labels")
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 2
    assert r"new\nline\tand \x1b[31m.tif" in result.stdout


def test_masks_beside_their_images_are_counted(model: Path, images: Path, tmp_path: Path) -> None:
    tifffile.imwrite(images / "a_masks.tif", IMAGE)
    result = predict(model, images, "--out", tmp_path / "labels")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2)
    assert "note: 1 file with masks or other results not read: a_masks.tif" in result.stderr


@pytest.mark.parametrize("wrong", ["channels", "all damaged"])
def test_a_folder_of_wrong_images_is_one_error(model: Path, images: Path, tmp_path: Path, wrong: str) -> None:
    for path in images.iterdir():
        if wrong == "channels":
            tifffile.imwrite(path, np.stack([IMAGE] * 3, -1), photometric="rgb")
        else:
            path.write_bytes(b"II*\0")
    # Damaged images are noticed before the model is looked for.
    source = model if wrong == "channels" else tmp_path / "nowhere"
    result = predict(source, images, "--out", tmp_path / "labels")
    assert isinstance(result.exception, InputError)
    assert str(images / "a.tif") in str(result.exception)
    assert not (tmp_path / "labels").exists()


def test_overwrite_replaces_earlier_label_images_only(model: Path, images: Path, tmp_path: Path) -> None:
    arguments = (model, images, "--out", tmp_path / "labels")
    assert predict(*arguments).exit_code == 0
    assert "--overwrite" in str(predict(*arguments).exception)
    assert predict(*arguments, "--overwrite").exit_code == 0
    tifffile.imwrite(tmp_path / "labels" / "a.tif", IMAGE)
    assert "no label image that finetune wrote" in str(predict(*arguments, "--overwrite").exception)
    assert np.array_equal(tifffile.imread(tmp_path / "labels" / "a.tif"), IMAGE)


def test_a_pattern_in_quotes_and_a_file_are_segmented_together(
    model: Path, images: Path, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "c.tif", IMAGE)
    result = predict(model, images / "[ab].tif", tmp_path / "c.tif", "--out", tmp_path / "labels")
    assert result.exit_code == 0, result.output
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == [
        str(tmp_path / "labels" / f"{name}.tif") for name in "abc"
    ]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--format", "bmp"), "--format: there is no format bmp; choose tiff or ome-zarr"),
        (("--save", "overlays,areas"), "--save: there is no output areas; choose from measurements"),
        (("--precision", "half"), "--precision: there is no precision half; choose auto, float32 or bf16"),
    ],
)
def test_an_unknown_output_is_refused_before_the_model_is_loaded(
    images: Path, tmp_path: Path, option: tuple[str, str], words: str
) -> None:
    result = predict(tmp_path / "nowhere", images, "--out", tmp_path / "labels", *option)
    assert isinstance(result.exception, InputError) and words in str(result.exception)


def test_every_file_that_is_written_is_listed(model: Path, images: Path, tmp_path: Path) -> None:
    saved = "measurements,overlays,outlines,probabilities,geojson,rois"
    out = tmp_path / "labels"
    result = predict(model, images, "--out", out, "--json", "--save", saved)
    assert result.exit_code == 0, result.output
    listed = set()
    for line in map(json.loads, result.stdout.splitlines()):
        listed |= {line["labels"], *line["files"].values()}
    assert listed == {str(path) for path in out.rglob("*") if path.is_file()}


def test_the_record_of_a_prediction_continues_and_names_no_local_path(
    model: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "labels"
    for name in ("a.tif", "b.tif"):
        assert predict(model, images / name, "--out", out).exit_code == 0
    assert predict(model, images / "a.tif", "--out", out, "--overwrite").exit_code == 0
    text = (out / "prediction.json").read_text()
    predictions = json.loads(text)["predictions"]
    assert [[image["image"] for image in one["images"]] for one in predictions] == [["b.tif"], ["a.tif"]]
    assert predictions[0]["models"][0]["name"] == model.name and str(tmp_path) not in text
    (out / "prediction.json").write_text("{}")
    refused = predict(model, images / "a.tif", "--out", out, "--overwrite")
    assert "prediction.json: exists and is no file that finetune wrote" in str(refused.exception)
    assert (out / "prediction.json").read_text() == "{}"


def test_an_ensemble_has_one_card_that_describes_its_members(
    model: Path, images: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "labels", shutil.copytree(model, tmp_path / "other")
    arguments = (model, images, "--ensemble", other, "--symmetries", "--out", out)
    assert predict(*arguments).exit_code == 0
    card = (out / "README.md").read_text()
    assert "Ensemble of 2 models" in card and card.count("not measured") == 3
    assert "rotations and reflections: yes" in card
    assert predict(*arguments, "--overwrite").exit_code == 0
    (out / "README.md").write_text("my notes")
    assert "README.md: exists" in str(predict(*arguments, "--overwrite").exception)


def test_the_table_of_measurements_continues(model: Path, images: Path, tmp_path: Path) -> None:
    def measured() -> list[list[str]]:
        with (tmp_path / "labels" / "measurements.csv").open(newline="") as file:
            return list(csv.reader(file))

    arguments = ("--save", "measurements", "--out", tmp_path / "labels")
    assert predict(model, images, *arguments).exit_code == 0
    whole = measured()
    shutil.rmtree(tmp_path / "labels")
    for name in ("a.tif", "b.tif"):
        assert predict(model, images / name, *arguments).exit_code == 0
    assert measured() == whole
    assert predict(model, images / "a.tif", *arguments, "--overwrite").exit_code == 0
    assert sorted(measured()) == sorted(whole)
    assert {row[0] for row in measured()} == {"image", "a.tif", "b.tif"}
    # Without --save, too: the table describes the label images beside it.
    tifffile.imwrite(images / "a.tif", IMAGE[:, ::-1])
    (images / "b.tif").write_bytes(b"damaged")
    assert predict(model, images, "--out", tmp_path / "labels", "--overwrite").exit_code == 1
    assert predict(model, images / "a.tif", "--save", "measurements", "--out", tmp_path / "x").exit_code == 0
    with (tmp_path / "x" / "measurements.csv").open(newline="") as file:
        new = list(csv.reader(file))[1:]
    assert new != [row for row in whole if row[0] == "a.tif"]
    assert [row for row in measured() if row[0] == "a.tif"] == new
    assert [row for row in measured() if row[0] == "b.tif"] == [row for row in whole if row[0] == "b.tif"]


def test_a_table_that_was_edited_is_kept(model: Path, images: Path, tmp_path: Path) -> None:
    arguments = (model, images, "--save", "measurements", "--out", tmp_path / "labels")
    assert predict(*arguments).exit_code == 0
    table = tmp_path / "labels" / "measurements.csv"
    assert predict(*arguments, "--overwrite").exit_code == 0
    table.write_text(table.read_text() + "my row\n")
    assert "measurements.csv: exists" in str(predict(*arguments, "--overwrite").exception)
    tifffile.imwrite(images / "c.tif", IMAGE)  # its rows would be missing from the table
    added = predict(model, images / "c.tif", "--out", tmp_path / "labels")
    assert "measurements.csv: exists" in str(added.exception)
    assert "my row" in table.read_text()


@pytest.mark.parametrize("precision", ["auto", "float32", "bf16"])
def test_the_record_states_the_precision_of_the_network(
    model: Path, images: Path, tmp_path: Path, precision: str
) -> None:
    result = predict(model, images, "--precision", precision, "--out", tmp_path / "labels")
    assert result.exit_code == 0, result.output
    (prediction,) = json.loads((tmp_path / "labels" / "prediction.json").read_text())["predictions"]
    # No run has verified the labels of this model in bf16.
    assert [one["precision"] for one in prediction["models"]] == [
        "bf16" if precision == "bf16" else "float32"
    ]


def test_outputs_of_a_replaced_label_image_are_deleted_and_others_kept(
    model: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "labels"
    assert predict(model, images, "--out", out, "--save", "geojson,outlines").exit_code == 0
    (out / "outlines" / "a.png").write_bytes(b"drawn by hand")
    result = predict(model, images / "a.tif", "--out", out, "--overwrite")
    assert "note: 1 file of earlier label images will be deleted: geojson/a.geojson" in result.stderr
    assert sorted(path.name for path in (out / "geojson").iterdir()) == ["b.geojson"]
    assert sorted(path.name for path in (out / "outlines").iterdir()) == ["a.png", "b.png"]


def test_the_card_of_an_ensemble_goes_with_its_last_label_image(
    model: Path, images: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "labels", Path(shutil.copytree(model, tmp_path / "other"))
    assert predict(model, images, "--ensemble", other, "--out", out).exit_code == 0
    assert predict(model, images / "a.tif", "--out", out, "--overwrite").exit_code == 0
    assert (out / "README.md").exists()
    assert predict(model, images / "b.tif", "--out", out, "--overwrite").exit_code == 0
    assert not (out / "README.md").exists()
    assert "README.md" not in json.loads((out / "prediction.json").read_text())["files"]


def test_a_channel_of_the_images_is_chosen(model: Path, images: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        stained = np.stack([np.zeros_like(IMAGE), IMAGE])
        tifffile.imwrite(images / f"{name}.tif", stained, metadata={"axes": "CYX"}, ome=True)
    tifffile.imwrite(tmp_path / "gray.tif", IMAGE)
    result = predict(model, images, "--out", tmp_path / "none")
    assert "has 2 channels; this model takes 1: choose 1 channel with --channels" in str(result.exception)
    assert predict(model, images, "--channels", "1", "--out", tmp_path / "labels").exit_code == 0
    assert predict(model, tmp_path / "gray.tif", "--out", tmp_path / "gray").exit_code == 0
    expected = tifffile.imread(tmp_path / "gray" / "gray.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "labels" / "b.tif"), expected)
    (prediction,) = json.loads((tmp_path / "labels" / "prediction.json").read_text())["predictions"]
    assert prediction["channels"] == [1]


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ("DAPI", "'DAPI' is not a list of channels"),
        ("0,1", "2 chosen, but the model takes 1"),
        ("3", "a.tif: the image has channels 0 to 0, but channels [3] were asked for"),
    ],
)
def test_wrong_channels_are_one_line(
    model: Path, images: Path, tmp_path: Path, channels: str, message: str
) -> None:
    result = predict(model, images, "--channels", channels, "--out", tmp_path / "labels")
    assert message in str(result.exception) + result.stderr
    assert not (tmp_path / "labels").exists()
