"""`finetune evaluate` on label images as other tools write them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner, Result

from finetune.cli.main import app

REFERENCE = np.zeros((40, 60), np.uint16)
REFERENCE[4:14, 4:14], REFERENCE[20:30, 20:40] = 1, 2


def moved(pixels: int) -> np.ndarray:
    return np.roll(REFERENCE, pixels, axis=1)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("predicted", "reference", "other"):
        (tmp_path / name).mkdir()
    for index in range(4):
        tifffile.imwrite(tmp_path / "reference" / f"cell_{index}.tif", REFERENCE)
        tifffile.imwrite(tmp_path / "predicted" / f"cell_{index}.ome.tif", moved(index))
        tifffile.imwrite(tmp_path / "other" / f"cell_{index}_cp_masks.tif", moved(2 * index))
    return tmp_path


def evaluate(*arguments: Path | str) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_prints_mean_deviation_median_and_interval_of_each_metric(folders: Path) -> None:
    result = evaluate(folders / "predicted", folders / "reference")
    assert result.exit_code == 0
    lines = {line.split("  ")[0]: line for line in result.stdout.splitlines()}
    dice = [2 * np.count_nonzero((moved(i) > 0) & (REFERENCE > 0)) / (2 * 300) for i in range(4)]
    assert f"{np.mean(dice):.4f} ± {np.std(dice):.4f}" in lines["Dice"]
    assert f"{np.median(dice):.4f}" in lines["Dice"]
    assert " to " in lines["Dice"]
    assert {"AP50", "AP75", "AP50:95", "PQ", "Boundary distance (px)", "Predicted instances"} <= lines.keys()


def test_the_last_line_counts_the_instances_of_all_images(folders: Path) -> None:
    result = evaluate(folders / "other", folders / "reference")
    # The square of 10 pixels has an IoU below 0.5 after 4 and 6 pixels, the rectangle of 20 above it.
    assert result.stdout.splitlines()[-1] == (
        "all images together, at an IoU of 0.5: 6 of 8 reference instances found, 2 false positives; "
        "AP50 0.6000, precision 0.7500, recall 0.7500, F1 0.7500"
    )


def test_boundary_distances_are_in_micrometers_if_the_pixel_size_is_known(folders: Path) -> None:
    pixels, micrometers = (
        json.loads(evaluate(folders / "predicted", folders / "reference", "--json", *extra).stdout)
        for extra in ((), ("--pixel-size", "0.5"))
    )
    assert (pixels["boundary_distance_unit"], micrometers["boundary_distance_unit"]) == ("px", "µm")
    for name in ("boundary_distance", "boundary_distance_95"):
        means = [content["predictions"][0]["summary"][name]["mean"] for content in (pixels, micrometers)]
        assert means[0] > 0
        assert means[1] == pytest.approx(means[0] / 2)


def test_two_predictions_are_compared_image_by_image(folders: Path) -> None:
    result = evaluate(folders / "predicted", folders / "reference", "--compare", folders / "other", "--json")
    content = json.loads(result.stdout)
    first, second = (prediction["images"] for prediction in content["predictions"])
    differences = [second[name]["dice"] - first[name]["dice"] for name in first]
    difference = content["difference"]["dice"]
    assert difference["mean"] == pytest.approx(np.mean(differences))
    assert difference["images"] == 4
    low, high = difference["interval"]
    assert min(differences) <= low < difference["mean"] < high <= max(differences)
    assert (
        "other minus"
        in evaluate(folders / "predicted", folders / "reference", "--compare", folders / "other").stdout
    )


def test_csv_has_one_row_per_image_and_never_replaces_a_file(folders: Path) -> None:
    path = folders / "scores.csv"
    assert evaluate(folders / "predicted", folders / "reference", "--csv", path).exit_code == 0
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["image"] for row in rows] == [f"cell_{index}" for index in range(4)]
    assert float(rows[0]["dice"]) == 1
    assert {"ap50", "ap55", "ap95", "mean_ap", "pq", "boundary_distance"} <= rows[0].keys()
    before = path.read_bytes()
    result = evaluate(folders / "predicted", folders / "reference", "--csv", path)
    assert result.exit_code != 0
    assert "choose another file with --csv" in str(result.exception)
    assert path.read_bytes() == before


def test_the_table_may_be_in_the_home_folder(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folders))
    assert evaluate(folders / "predicted", folders / "reference", "--csv=~/scores.csv").exit_code == 0
    assert (folders / "scores.csv").is_file()


def test_missing_and_damaged_files_are_named_and_the_others_compared(folders: Path) -> None:
    (folders / "predicted" / "cell_1.ome.tif").write_bytes(b"II*\0 cut short")
    (folders / "predicted" / "cell_2.ome.tif").rename(folders / "predicted" / "cell_9.tif")
    tifffile.imwrite(folders / "predicted" / "cell_3.ome.tif", REFERENCE[:20])
    result = evaluate(folders / "predicted", folders / "reference")
    assert result.exit_code == 1
    assert "predicted: 1 image\n" in result.stdout
    assert "3 references not compared: cell_2, cell_1, cell_3" in result.stderr
    assert "cell_1.ome.tif: holds no image" in result.stderr
    assert "cell_3.ome.tif: the prediction has shape (20, 60), the reference (40, 60)" in result.stderr
    assert "1 prediction without a reference: cell_9" in result.stderr


def test_of_many_images_that_were_not_compared_a_few_are_named(folders: Path) -> None:
    for number in range(4, 50):
        tifffile.imwrite(folders / "reference" / f"cell_{number}.tif", REFERENCE)
        tifffile.imwrite(folders / "predicted" / f"more_{number}.tif", REFERENCE)
    result = evaluate(folders / "predicted", folders / "reference")
    assert "46 references not compared: cell_10, cell_11, cell_12, …\n" in result.stderr
    assert "46 predictions without a reference: more_10, more_11, more_12, …\n" in result.stderr
    content = json.loads(evaluate(folders / "predicted", folders / "reference", "--json").stdout)
    assert len(content["predictions"][0]["without_prediction"]) == 46


def test_no_common_names_is_one_line(folders: Path) -> None:
    (folders / "else").mkdir()
    tifffile.imwrite(folders / "else" / "a.tif", REFERENCE)
    result = evaluate(folders / "else", folders / "reference")
    assert "no prediction has the name of a reference: a and cell_0, … (4 files)" in str(result.exception)


def test_a_single_file_is_compared_with_the_file_of_its_name(folders: Path) -> None:
    result = evaluate(folders / "predicted" / "cell_1.ome.tif", folders / "reference")
    assert ": 1 image\n" in result.stdout
    assert result.stdout.count("±") == 1  # in the heading: one image has no standard deviation
    assert "3 references not compared: cell_0, cell_2, cell_3" in result.stderr


@pytest.mark.parametrize("name", ["labels.tif", "labels.png"])
def test_single_files_of_any_name_are_compared(tmp_path: Path, name: str) -> None:
    if name.endswith("png"):
        Image.fromarray(REFERENCE).save(tmp_path / name)
    else:
        tifffile.imwrite(tmp_path / name, REFERENCE)
    tifffile.imwrite(tmp_path / "reference.tif", REFERENCE)
    content = json.loads(evaluate(tmp_path / name, tmp_path / "reference.tif", "--json").stdout)
    assert content["predictions"][0]["images"]["reference"]["dice"] == 1
    assert content["predictions"][0]["intervals"] == {}


def test_boundaries_are_compared_as_boundaries_and_their_regions_as_instances(tmp_path: Path) -> None:
    boundary = np.zeros((30, 30), np.uint8)
    boundary[[0, 15, 29]] = boundary[:, [0, 15, 29]] = 255
    thick = boundary.copy()
    thick[16] = 255
    for name, image in (("a.tif", thick), ("b.tif", boundary)):
        tifffile.imwrite(tmp_path / name, image)
    content = json.loads(
        evaluate(tmp_path / "a.tif", tmp_path / "b.tif", "--labels", "boundary", "--json").stdout
    )
    values = content["predictions"][0]["images"]["b"]
    assert values["reference_instances"] == values["predicted_instances"] == 4
    assert values["dice"] < 1
    assert values["ap50"] == 1


def test_an_empty_prediction_has_no_boundary_distance(tmp_path: Path) -> None:
    for name, image in (("a.tif", np.zeros_like(REFERENCE)), ("b.tif", REFERENCE)):
        tifffile.imwrite(tmp_path / name, image)
    result = evaluate(tmp_path / "a.tif", tmp_path / "b.tif")
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if line.startswith("Boundary distance (px)"))
    assert "not measured" in line


def test_the_planes_of_stacks_are_compared_one_by_one(tmp_path: Path) -> None:
    stacks = {"predicted": [REFERENCE, moved(1)], "reference": [REFERENCE] * 2, "shorter": [REFERENCE] * 3}
    for name, planes in stacks.items():
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, np.stack(planes).astype(np.uint16), imagej=True, metadata={"axes": "ZYX"})
    result = evaluate(tmp_path / "predicted.tif", tmp_path / "reference.tif", "--json")
    images = json.loads(result.stdout)["predictions"][0]["images"]
    dice = [images[name]["dice"] for name in ("reference#0", "reference#1")]
    assert dice == [1, pytest.approx(0.9, abs=0.09)]
    refused = CliRunner().invoke(
        app, ["evaluate", *(str(tmp_path / f"{n}.tif") for n in ("shorter", "reference"))]
    )
    assert "shorter.tif: holds 3 planes, the reference 2; both must have the same" in str(refused.exception)


def test_gray_level_images_in_place_of_predictions_are_compared_with_a_warning(folders: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, REFERENCE.shape, np.uint8)
    tifffile.imwrite(folders / "predicted" / "cell_2.ome.tif", noise)
    result = evaluate(folders / "predicted", folders / "reference")
    assert result.exit_code == 0
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1
    assert "predicted: 1 of 4 predictions look like images" in warnings[0]
    assert "cell_2" in warnings[0]


def test_a_suspicious_reference_is_named_once_for_two_predictions(folders: Path) -> None:
    reused = np.zeros((200, 200), np.uint16)
    for row in range(10, 190, 30):
        for column in range(10, 190, 30):
            reused[row : row + 8, column : column + 8] = 1
    for name in ("reference", "predicted", "other"):
        for file in (folders / name).iterdir():
            tifffile.imwrite(file, reused if name == "reference" else np.zeros_like(reused))
    lines = evaluate(
        folders / "predicted", folders / "reference", "--compare", folders / "other"
    ).stderr.splitlines()
    assert [line.split(":")[1].split("/")[-1] for line in lines if line.startswith("warning")] == [
        "reference"
    ]
    assert "4 of 4 references give all objects of a class one label" in "".join(lines)


def test_label_images_get_no_warning(folders: Path) -> None:
    result = evaluate(folders / "predicted", folders / "reference")
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_stack_with_a_damaged_plane_is_left_out_whole(folders: Path) -> None:
    damaged = np.stack([REFERENCE, REFERENCE]).astype(np.int16)
    damaged[1, 0, 0] = -1
    tifffile.imwrite(folders / "predicted" / "cell_0.ome.tif", damaged, metadata={"axes": "ZYX"})
    tifffile.imwrite(
        folders / "reference" / "cell_0.tif", np.stack([REFERENCE] * 2), metadata={"axes": "ZYX"}
    )
    result = evaluate(folders / "predicted", folders / "reference", "--json")
    (prediction,) = json.loads(result.stdout)["predictions"]
    assert list(prediction["images"]) == ["cell_1", "cell_2", "cell_3"]
    assert list(prediction["failed"]) == ["cell_0"]
    assert prediction["summary"]["reference_instances"]["mean"] == 2


def test_differences_have_the_order_of_the_metrics(folders: Path) -> None:
    result = evaluate(folders / "predicted", folders / "reference", "--compare", folders / "other", "--json")
    content = json.loads(result.stdout)
    metrics = list(content["predictions"][0]["summary"])
    assert list(content["difference"]) == [name for name in metrics if name in content["difference"]]


def test_boundaries_without_their_option_are_warned_of(tmp_path: Path) -> None:
    walls = np.zeros((60, 60), np.uint8)
    walls[::20, :], walls[:, ::20] = 1, 1
    for name in ("predicted", "reference"):
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "a.tif", walls)
    result = evaluate(tmp_path / "predicted", tmp_path / "reference")
    assert "thin lines that enclose objects: use --labels boundary" in result.stderr
    assert evaluate(tmp_path / "predicted", tmp_path / "reference", "--labels", "boundary").stderr == ""


def test_background_that_is_nan_is_named(tmp_path: Path) -> None:
    labels = np.where(REFERENCE, REFERENCE, np.nan).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", labels)
    result = evaluate(tmp_path / "a.tif", tmp_path / "a.tif")
    assert "are NaN or infinite; labels must be integers: set the background to 0" in str(result.exception)
