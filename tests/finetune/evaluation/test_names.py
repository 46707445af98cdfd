"""Names of label images: each file is compared with the reference of its name, and none is forgotten."""

from __future__ import annotations

import csv
import math
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

import finetune
from cards.errors import DataError, InputError
from finetune.cli.main import app


def write(folder: Path, *names: str) -> Path:
    """Label images that differ from each other: number N has one square of N × N pixels at N."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names, 3):
        labels = np.zeros((40, 40), np.uint8)
        labels[number : 2 * number, number : 2 * number] = 1
        tifffile.imwrite(folder / name, labels)
    return folder


def test_a_file_named_zero_is_a_file_like_others(tmp_path: Path) -> None:
    names = ("0.tif", "1.tif", "2.tif")
    predicted, expected = write(tmp_path / "p", *names), write(tmp_path / "r", *names)
    found = finetune.evaluate(predicted / "1.tif", expected, strict=False)
    assert list(found.images) == ["1"] and found.summary["dice"].mean == 1
    only_zero = write(tmp_path / "one", "0.tif")
    with pytest.raises(DataError, match="no prediction has the name of a reference: 0 and 2"):
        finetune.evaluate(only_zero, expected / "2.tif")
    assert list(finetune.evaluate(predicted / "1.tif", expected / "1.tif").images) == ["1"]


def test_arrays_match_arrays(tmp_path: Path) -> None:
    labels = np.eye(9, dtype=np.int32)
    for predictions, reference in (
        (labels, labels),
        (labels, [labels]),
        ([labels, labels], [labels, labels]),
    ):
        assert finetune.evaluate(predictions, reference).summary["dice"].mean == 1


def test_images_beside_the_masks_of_others_are_named(tmp_path: Path) -> None:
    predicted = write(tmp_path / "p", "a.tif", "b_masks.tif", "b.tif", "c.tif")
    found = finetune.evaluate(predicted, write(tmp_path / "r", "x.tif", "b.tif"), strict=False)
    assert list(found.images) == ["b"]
    assert "2 images beside the masks not compared: a.tif, c.tif" in found.warnings


def test_names_in_the_form_of_macos_agree_with_others(tmp_path: Path) -> None:
    name = "Zähler_1"
    decomposed = unicodedata.normalize("NFD", name)
    predicted = tmp_path / "p"
    predicted.mkdir()
    np.save(predicted / "x.npy", {"masks": np.eye(9, dtype=np.int32)}, allow_pickle=True)  # type: ignore[arg-type]
    (predicted / "x.npy").rename(predicted / f"{decomposed}_seg.npy")
    (tmp_path / "r").mkdir()
    tifffile.imwrite(tmp_path / "r" / f"{name}.OME.TIF", np.eye(9, dtype=np.uint8), ome=False)
    assert finetune.evaluate(predicted, tmp_path / "r").summary["dice"].mean == 1


def test_rows_of_two_predictions_in_folders_of_one_name_can_be_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a/labels", "b/labels", "r"):
        write(tmp_path / folder, "1.tif")
    arguments = ["evaluate", "a/labels", "r", "--compare", "b/labels", "--csv", "out.csv"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    with open("out.csv", newline="", encoding="utf-8") as file:  # noqa: PTH123
        assert [row["prediction"] for row in csv.DictReader(file)] == ["a/labels", "b/labels"]


def test_how_many_images_have_a_distance(tmp_path: Path) -> None:
    predicted, expected = (write(tmp_path / name, "1.tif", "2.tif") for name in "pr")
    tifffile.imwrite(predicted / "2.tif", np.zeros((40, 40), np.uint8))
    printed = CliRunner().invoke(app, ["evaluate", str(predicted), str(expected)]).output
    assert "Boundary distance (px), 1 image" in printed
    assert "Dice, " not in printed


@pytest.mark.parametrize("size", [0, -1, math.inf, math.nan])
def test_a_pixel_has_a_size(size: float) -> None:
    with pytest.raises(InputError, match="must be a number greater than 0"):
        finetune.evaluate(np.eye(3, dtype=int), np.eye(3, dtype=int), pixel_size=size)
